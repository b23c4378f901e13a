//! What an activity tells, printed as it comes: a row at a time, titles where the columns change.

use leasehold_routeros::syntax::print::{self, Form, Layout};
use leasehold_routeros::{Command, Menu};

use super::client::{Answer, menu_of};

/// An activity that somebody watches.
pub(super) struct Telling {
    menu: &'static Menu,
    form: Form,
    layout: Layout,
    /// The columns whose titles were printed last.
    columns: String,
}

impl Telling {
    /// Of a command that goes on for a while; none of any other.
    pub(super) fn of(command: &Command, width: Option<usize>) -> Option<Self> {
        let menu = menu_of(command).filter(|menu| menu.activity().is_some())?;
        let (form, layout) = (Form::of(command, menu), Layout::of(command, width));
        Some(Self { menu, form, layout, columns: String::new() })
    }

    /// What is printed for one more row.
    pub(super) fn row(&mut self, words: &[String]) -> String {
        let mut answer = Answer::default();
        answer.take(Some(self.menu), words);
        let text = print::print(self.menu, &answer.records, self.form, &self.layout);
        if self.form != Form::Table {
            return text;
        }
        let mut lines = text.splitn(3, '\n');
        let (columns, _titles, rows) = (lines.next(), lines.next(), lines.next());
        if columns == Some(&self.columns) {
            return rows.unwrap_or_default().to_owned();
        }
        self.columns = columns.unwrap_or_default().to_owned();
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_come_again_only_with_other_columns() {
        let ping = Command::new("", "ping").with("address", "192.0.2.1");
        let mut telling = Telling::of(&ping, None).unwrap();
        let row = |words: &str| words.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let first = telling.row(&row("!re =seq=0 =host=192.0.2.1 =time=1ms"));
        assert!(first.starts_with("Columns: SEQ, HOST, TIME\n"), "{first}");
        let second = telling.row(&row("!re =seq=1 =host=192.0.2.1 =time=900us"));
        assert!(second.contains("900us") && second.lines().count() == 1, "{second}");
        let lost = telling.row(&row("!re =seq=2 =host=192.0.2.1 =status=timeout"));
        assert!(lost.starts_with("Columns: SEQ, HOST, STATUS\n"), "{lost}");
        assert!(Telling::of(&Command::new("/ip/pool", "print"), None).is_none());
    }
}
