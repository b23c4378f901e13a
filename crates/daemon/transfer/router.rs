//! A live router, asked over REST: its configuration as a script, and its lease table.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use clap::Args;
use leasehold_dhcp::menus;
use leasehold_routeros::menu::Form;
use leasehold_routeros::syntax::quote;
use leasehold_routeros::{Menu, Row};
use rustix::termios::{self, LocalModes, OptionalActions};
use serde_json::{Map, Value as Json};
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::TransferError;

/// Where the router is, and who asks.
#[derive(Args, Clone, Debug)]
pub(crate) struct Router {
    /// A live router, whose configuration and leases are fetched over REST.
    #[arg(long, value_name = "https://ROUTER", requires = "user")]
    pub(super) from: Option<String>,
    /// A user of the router who may read.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// A file whose first line is the password; else LEASEHOLD_PASSWORD, else it is asked for.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Trust this certificate (PEM): the router's own, or the one that signed it.
    #[arg(long, value_name = "FILE.pem", conflicts_with = "insecure")]
    certificate: Option<PathBuf>,
    /// Trust any certificate: whoever is between can read the password.
    #[arg(long)]
    insecure: bool,
}

/// What a router said.
pub(super) struct Fetched {
    /// Its configuration.
    pub(super) script: String,
    /// Its leases, as its REST tells them.
    pub(super) leases: String,
    /// What was taken, what was not, a line for each.
    pub(super) report: String,
}

/// A router that says nothing for so long is given up.
const PATIENCE: Duration = Duration::from_secs(60);
/// A lease table of a million rows is smaller than this.
const BODY_MAX: u64 = 1 << 30;

impl Router {
    pub(super) fn fetch(&self, url: &str) -> Result<Fetched, TransferError> {
        let agent = self.agent()?;
        let user = self.user.as_deref().unwrap_or_default();
        let password = self.password(user, url)?;
        let credential = format!("{user}:{password}");
        let credential = base64::engine::general_purpose::STANDARD.encode(credential);
        let authorization = format!("Basic {credential}");
        let mut fetched =
            Fetched { script: String::new(), leases: "[]".into(), report: String::new() };
        for menu in menus::menus().into_iter().filter(|menu| menu.is_configured()) {
            let path = format!("{}/rest{}", url.trim_end_matches('/'), menu.path);
            let answer = agent.get(&path).header("Authorization", &authorization).call();
            let failed =
                |error: ureq::Error| TransferError::Router(path.clone(), error.to_string());
            let mut answer = answer.map_err(failed)?;
            let status = answer.status().as_u16();
            let body = answer.body_mut().with_config().limit(BODY_MAX).read_to_string();
            let body = body.map_err(failed)?;
            match status {
                200 => {}
                // The router is older than this menu.
                400 | 404 => {
                    fetched.report += &format!("{}: the router has no such menu\n", menu.path);
                    continue;
                }
                401 => {
                    let why = "the router does not know this user and password".into();
                    return Err(TransferError::Router(path, why));
                }
                status => {
                    let why = format!("HTTP {status}: {}", body.trim());
                    return Err(TransferError::Router(path, why));
                }
            }
            if menu.path == menus::Lease::menu().path {
                fetched.leases.clone_from(&body);
            }
            let rows = rows(&body).map_err(|why| TransferError::Router(path, why))?;
            let (script, report) = script_of(menu, &rows);
            fetched.script += &script;
            fetched.report += &report;
        }
        Ok(fetched)
    }

    fn agent(&self) -> Result<Agent, TransferError> {
        let mut tls = TlsConfig::builder().disable_verification(self.insecure);
        if let Some(path) = &self.certificate {
            let pem =
                std::fs::read(path).map_err(|error| TransferError::Io(path.clone(), error))?;
            let certificate = Certificate::from_pem(&pem);
            let certificate = certificate.map_err(|error| {
                TransferError::Io(path.clone(), io::Error::other(error.to_string()))
            })?;
            tls = tls.root_certs(RootCerts::new_with_certs(&[certificate]));
        }
        let config = Agent::config_builder()
            .tls_config(tls.build())
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE));
        Ok(config.build().into())
    }

    fn password(&self, user: &str, url: &str) -> Result<String, TransferError> {
        if let Some(path) = &self.password_file {
            let text = std::fs::read_to_string(path);
            let text = text.map_err(|error| TransferError::Io(path.clone(), error))?;
            return Ok(text.lines().next().unwrap_or_default().to_owned());
        }
        match std::env::var("LEASEHOLD_PASSWORD") {
            Ok(password) => Ok(password),
            Err(_) => asked(&format!("password of {user} on {url}: "))
                .map_err(|error| TransferError::Io("standard input".into(), error)),
        }
    }
}

/// One line that is not shown.
fn asked(question: &str) -> io::Result<String> {
    eprint!("{question}");
    io::stderr().flush()?;
    let input = io::stdin();
    let before = termios::tcgetattr(&input).ok().filter(|_| input.is_terminal());
    if let Some(before) = &before {
        let mut hidden = before.clone();
        hidden.local_modes -= LocalModes::ECHO;
        termios::tcsetattr(&input, OptionalActions::Flush, &hidden)?;
    }
    let mut line = String::new();
    let read = input.lock().read_line(&mut line);
    if let Some(before) = &before {
        termios::tcsetattr(&input, OptionalActions::Flush, before)?;
        eprintln!();
    }
    read?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn rows(body: &str) -> Result<Vec<Map<String, Json>>, String> {
    let read: Json = serde_json::from_str(body).map_err(|error| format!("no JSON: {error}"))?;
    let rows = match read {
        Json::Array(rows) => rows,
        row => vec![row],
    };
    let rows = rows.into_iter().map(|row| match row {
        Json::Object(row) => Ok(row),
        _ => Err("rows have to be JSON objects".to_owned()),
    });
    rows.collect()
}

/// The rows of a menu as commands; what cannot be said here is told.
fn script_of(menu: &'static Menu, rows: &[Map<String, Json>]) -> (String, String) {
    let path = menu.words().collect::<Vec<_>>().join(" ");
    let mut script = format!("/{path}\n");
    let (mut taken, mut dynamic) = (0, 0);
    let mut unknown: std::collections::BTreeMap<&str, usize> = Default::default();
    for row in rows {
        let text = |name: &str| row.get(name).and_then(Json::as_str);
        if text("dynamic") == Some("true") || text("builtin") == Some("true") {
            dynamic += 1;
            continue;
        }
        let mut words = vec![if menu.form == Form::Singleton { "set" } else { "add" }.to_owned()];
        for (name, value) in row.iter().filter(|(name, _)| !name.starts_with('.')) {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            match menu.property(name) {
                // What REST shows as an empty text is unset.
                _ if value.is_empty() => {}
                Some(property) if property.rule.is_configured() => {
                    words.push(format!("{name}={}", quote::when_needed(&value)));
                }
                // What the router tells of a row is no configuration.
                Some(_) => {}
                None => *unknown.entry(name).or_default() += 1,
            }
        }
        taken += 1;
        script.push_str(&words.join(" "));
        script.push('\n');
    }
    let mut report = format!("{}: {taken} row(s) taken", menu.path);
    if dynamic > 0 {
        report += &format!(", {dynamic} made by the router itself are no configuration");
    }
    report.push('\n');
    for (name, rows) in unknown {
        report += &format!("{}: {name} of {rows} row(s) is left out: not known here\n", menu.path);
    }
    (script, report)
}
