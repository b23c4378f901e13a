//! The line editor: what it offers, how it colours, when a line is whole, and what keys do.

use std::borrow::Cow;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use leasehold_routeros::syntax::console::{self, Class};
use nu_ansi_term::{Color, Style};
use reedline::{
    ColumnarMenu, Completer, DefaultHinter, EditCommand, Emacs, FileBackedHistory, Highlighter,
    KeyCode, KeyModifiers, Keybindings, MenuBuilder, Prompt, PromptEditMode, PromptHistorySearch,
    PromptHistorySearchStatus, Reedline, ReedlineEvent, ReedlineMenu, Span, StyledText, Suggestion,
    ValidationResult, Validator, default_emacs_keybindings,
};

use super::Desk;

/// The host command of `?` and F1.
pub(super) const HELP: &str = "help";
/// The host command of Ctrl-X.
pub(super) const SAFE_MODE: &str = "safe-mode";

/// Lines that are remembered.
const HISTORY: usize = 1000;
const MENU: &str = "completion";

/// What the console and its line editor both look at; each of them for a moment only.
#[derive(Clone)]
pub(super) struct Shared(Arc<Mutex<Desk>>);

impl Shared {
    pub(super) fn new(desk: Desk) -> Self {
        Self(Arc::new(Mutex::new(desk)))
    }

    pub(super) fn desk(&self) -> MutexGuard<'_, Desk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A line editor for commands.
pub(super) fn editor(shared: &Shared) -> Reedline {
    let mut keys = default_emacs_keybindings();
    bind(&mut keys);
    let menu = ColumnarMenu::default().with_name(MENU).with_columns(1);
    let editor = Reedline::create()
        .with_completer(Box::new(shared.clone()))
        .with_highlighter(Box::new(shared.clone()))
        .with_validator(Box::new(shared.clone()))
        .with_hinter(Box::new(
            DefaultHinter::default().with_style(Style::new().fg(Color::DarkGray)),
        ))
        .with_menu(ReedlineMenu::EngineCompleter(Box::new(menu)))
        // What is pasted is text: none of its characters is a key.
        .use_bracketed_paste(true)
        .with_quick_completions(true)
        .with_partial_completions(true)
        .with_edit_mode(Box::new(Emacs::new(keys)));
    match history() {
        Some(history) => editor.with_history(Box::new(history)),
        None => editor,
    }
}

/// A line editor for one value, which is there already.
pub(super) fn value_editor(value: &str) -> Reedline {
    let mut editor = Reedline::create();
    editor.run_edit_commands(&[EditCommand::InsertString(value.into())]);
    editor
}

fn bind(keys: &mut Keybindings) {
    let complete =
        ReedlineEvent::UntilFound(vec![ReedlineEvent::Menu(MENU.into()), ReedlineEvent::MenuNext]);
    keys.add_binding(KeyModifiers::NONE, KeyCode::Tab, complete);
    keys.add_binding(KeyModifiers::SHIFT, KeyCode::BackTab, ReedlineEvent::MenuPrevious);
    let help = || ReedlineEvent::ExecuteHostCommand(HELP.into());
    keys.add_binding(KeyModifiers::NONE, KeyCode::F(1), help());
    for modifiers in [KeyModifiers::NONE, KeyModifiers::SHIFT] {
        keys.add_binding(modifiers, KeyCode::Char('?'), help());
    }
    let safe_mode = ReedlineEvent::ExecuteHostCommand(SAFE_MODE.into());
    keys.add_binding(KeyModifiers::CONTROL, KeyCode::Char('x'), safe_mode);
}

/// The history's file, which only its owner reads: lines may hold passwords.
fn history() -> Option<FileBackedHistory> {
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/state"));
    let directory = state.or_else(home)?.join("leasehold");
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory).ok()?;
    let path = directory.join("console-history");
    let options = fs::OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
    options.ok()?;
    FileBackedHistory::with_file(HISTORY, path).ok()
}

impl Completer for Shared {
    fn complete(&mut self, line: &str, pos: usize) -> Vec<Suggestion> {
        let before = line.get(..pos).unwrap_or(line);
        let completion = self.desk().complete(before);
        let span = Span::new(completion.start, pos);
        let suggestion = |one: console::Candidate| Suggestion {
            value: one.word,
            description: Some(one.doc).filter(|doc| !doc.is_empty()),
            style: Some(style(one.class)),
            span,
            append_whitespace: one.ends,
            ..Suggestion::default()
        };
        completion.candidates.into_iter().map(suggestion).collect()
    }
}

impl Highlighter for Shared {
    fn highlight(&self, line: &str, _: usize) -> StyledText {
        let mut text = StyledText::new();
        let mut at = 0;
        for (range, class) in self.desk().words(line) {
            text.push((Style::new(), line[at..range.start].into()));
            at = range.end;
            text.push((style(class), line[range].into()));
        }
        text.push((Style::new(), line[at..].into()));
        text
    }
}

fn style(class: Class) -> Style {
    match class {
        Class::Menu => Color::Cyan.bold(),
        Class::Verb => Color::Magenta.bold(),
        Class::Name => Color::Green.normal(),
        Class::Value => Style::new(),
        Class::Comment => Color::DarkGray.normal(),
        Class::Unknown => Color::Red.normal(),
    }
}

impl Validator for Shared {
    fn validate(&self, line: &str) -> ValidationResult {
        match self.desk().goes_on(line) {
            true => ValidationResult::Incomplete,
            false => ValidationResult::Complete,
        }
    }
}

/// What stands before a line: `[admin@router] /ip/pool> `.
pub(super) struct Front(pub(super) String);

impl Prompt for Front {
    fn render_prompt_left(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.0)
    }

    fn render_prompt_right(&self) -> Cow<'_, str> {
        Cow::Borrowed("")
    }

    fn render_prompt_indicator(&self, _: PromptEditMode) -> Cow<'_, str> {
        Cow::Borrowed("")
    }

    fn render_prompt_multiline_indicator(&self) -> Cow<'_, str> {
        Cow::Borrowed("... ")
    }

    fn render_prompt_history_search_indicator(&self, search: PromptHistorySearch) -> Cow<'_, str> {
        let failing = match search.status {
            PromptHistorySearchStatus::Passing => "",
            PromptHistorySearchStatus::Failing => "failing ",
        };
        Cow::Owned(format!("({failing}search: {}) ", search.term))
    }

    fn get_prompt_color(&self) -> reedline::Color {
        reedline::Color::Reset
    }
}
