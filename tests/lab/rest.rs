//! A client of REST over HTTPS on the server's machine, which trusts any certificate.

use serde_json::Value as Json;
use ureq::Agent;
use ureq::http::Request;
use ureq::tls::TlsConfig;

use super::{Namespace, PATIENCE, Scene};

/// A user of the REST services.
pub struct Rest {
    machine: Namespace,
    agent: Agent,
    authorization: String,
}

impl Rest {
    /// A user who is made, with all rights, and a service that is set up for it.
    pub fn set_up(scene: &Scene, user: &str, password: &str) -> Self {
        scene.server.ask(&format!("/user add name={user} group=full password=\"{password}\""));
        scene.server.ask("/ip service set www-ssl address=0.0.0.0/0 port=443");
        scene.server.logged(&["service www-ssl listens"]);
        Self::of(scene, user, password)
    }

    /// A user of a service that listens.
    pub fn of(scene: &Scene, user: &str, password: &str) -> Self {
        use base64::Engine as _;
        let credential = base64::prelude::BASE64_STANDARD.encode(format!("{user}:{password}"));
        let config = Agent::config_builder()
            .tls_config(TlsConfig::builder().disable_verification(true).build())
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE));
        // Each request has a connection of its own, as those of a script have.
        let agent = config.max_idle_connections(0).build().into();
        let machine = scene.server.machine().clone();
        Self { machine, agent, authorization: format!("Basic {credential}") }
    }

    /// Status and body; `Null` if there is none.
    pub fn call(&self, method: &str, path: &str, body: &str) -> (u16, Json) {
        let said = self.attempt(method, path, body);
        said.unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// As [`Rest::call`], where the server may also refuse to talk.
    pub fn attempt(
        &self,
        method: &str,
        path: &str,
        body: &str,
    ) -> Result<(u16, Json), ureq::Error> {
        let request = Request::builder()
            .method(method)
            .uri(format!("https://127.0.0.1/rest{path}"))
            .header("Authorization", &self.authorization)
            .header("Content-Type", "application/json");
        let mut answer = self.machine.inside(|| match body {
            "" => self.agent.run(request.body(())?),
            body => self.agent.run(request.body(body.to_owned())?),
        })?;
        let text = answer.body_mut().read_to_string()?;
        let body = if text.is_empty() { Ok(Json::Null) } else { serde_json::from_str(&text) };
        let body = body.unwrap_or_else(|error| panic!("{method} {path}: {error} in {text}"));
        Ok((answer.status().as_u16(), body))
    }

    pub fn get(&self, path: &str) -> Json {
        self.done("GET", path, "")
    }

    pub fn post(&self, path: &str, body: &str) -> Json {
        self.done("POST", path, body)
    }

    /// The reason of a 400.
    pub fn refused(&self, method: &str, path: &str, body: &str) -> String {
        let (status, said) = self.call(method, path, body);
        assert_eq!((status, &said["error"]), (400, &Json::from(400)), "{said}");
        said["detail"].as_str().unwrap().to_owned()
    }

    fn done(&self, method: &str, path: &str, body: &str) -> Json {
        let (status, said) = self.call(method, path, body);
        assert_eq!(status, 200, "{method} {path}: {said}");
        said
    }
}
