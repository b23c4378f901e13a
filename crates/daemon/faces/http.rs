//! HTTP as far as REST needs it: who asks, how much, for how long; the rest is text.

use core::convert::Infallible;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures_util::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use leasehold_routeros::syntax::rest::{self, Answer, Refused};
use tokio::io::{AsyncRead, AsyncWrite};

use super::door::Door;
use super::patience::Patient;
use super::rest::{Said, Visit};
use crate::access::Denied;
use crate::control::Control;

/// Octets that a body may have: a script of ten thousand rows has one.
const BODY_MAX: usize = 4 << 20;
/// Octets that all headers of a request may have.
const HEADERS_MAX: usize = 32 << 10;
/// How long a client may take for the headers of a request, and be silent between two.
const HEADERS_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a request may take, as RouterOS has it.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a reader may take nothing before it is given up.
const PATIENCE: Duration = Duration::from_secs(30);

type Reply = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// Serves a connection until its client goes.
pub(crate) async fn serve<S>(stream: S, control: Control, door: Door)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let stream = TokioIo::new(Patient::new(stream, PATIENCE));
    let answer = service_fn(move |request| {
        let (control, door) = (control.clone(), door.clone());
        async move { Ok::<_, Infallible>(answer(request, control, door).await) }
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADERS_TIMEOUT);
    let served = http.max_buf_size(HEADERS_MAX).serve_connection(stream, answer).await;
    if let Err(error) = served {
        tracing::debug!("a connection ended: {error}");
    }
}

async fn answer(request: Request<Incoming>, control: Control, door: Door) -> Reply {
    let said = tokio::time::timeout(REQUEST_TIMEOUT, carry_out(request, control, &door)).await;
    match said {
        Ok(Ok(Said::Whole(answer))) => whole(answer),
        Ok(Ok(Said::Rows(rows))) => {
            let pages = stream::unfold(Some(*rows), |rows| async move {
                let (page, rest) = rows?.page().await;
                Some((Ok(Frame::data(Bytes::from(page))), rest))
            });
            respond(200, UnsyncBoxBody::new(StreamBody::new(pages)))
        }
        Ok(Err(refused)) => whole(rest::refused(&refused)),
        Err(_) => whole(rest::refused(&because(400, "Session closed"))),
    }
}

async fn carry_out(
    request: Request<Incoming>,
    control: Control,
    door: &Door,
) -> Result<Said, Refused> {
    let (head, body) = request.into_parts();
    let refused = |status| Refused { status, detail: None };
    let path = head.uri.path();
    let path = path.strip_prefix("/rest").filter(|rest| rest.is_empty() || rest.starts_with('/'));
    let path = path.ok_or(refused(404))?;
    let (name, password) = credentials(&head.headers).ok_or(refused(401))?;
    let caller = door.admit(&name, &password).await.map_err(|denied| match denied {
        Denied::Wrong => refused(401),
        Denied::NotPermitted => because(403, "not enough permissions (9)"),
    })?;
    let method = match head.method {
        Method::GET => rest::Method::Get,
        Method::PUT => rest::Method::Put,
        Method::PATCH => rest::Method::Patch,
        Method::DELETE => rest::Method::Delete,
        Method::POST => rest::Method::Post,
        _ => return Err(refused(501)),
    };
    let _place = door.enter().await.ok_or(refused(500))?;
    let body = body_of(&head.headers, body).await?;
    let visit = Visit { control: control.commanded_by(caller) };
    visit.carry_out(method, path, head.uri.query().unwrap_or_default(), &body).await
}

fn because(status: u16, detail: &str) -> Refused {
    Refused { status, detail: Some(detail.into()) }
}

/// Name and password of HTTP's Basic authentication.
fn credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = text.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = BASE64_STANDARD.decode(encoded.trim()).ok()?;
    let decoded = String::from_utf8(decoded).ok()?;
    let (name, password) = decoded.split_once(':')?;
    Some((name.into(), password.into()))
}

/// A body of JSON. What forms of other sites can send in a browser is none.
async fn body_of(headers: &HeaderMap, body: Incoming) -> Result<Bytes, Refused> {
    let json = |value: &HeaderValue| {
        let value = value.to_str().unwrap_or_default();
        value.split(';').next().is_some_and(|kind| kind.trim() == "application/json")
    };
    let kind = headers.get(header::CONTENT_TYPE);
    if body.size_hint().exact() != Some(0) && kind.is_some_and(|kind| !json(kind)) {
        return Err(because(415, "the content type has to be application/json"));
    }
    let too_large = || because(413, "the body is larger than 4 MiB");
    if body.size_hint().lower() > BODY_MAX as u64 {
        return Err(too_large());
    }
    let read = Limited::new(body, BODY_MAX).collect().await;
    read.map(http_body_util::Collected::to_bytes).map_err(|error| {
        match error.downcast_ref::<http_body_util::LengthLimitError>() {
            Some(_) => too_large(),
            None => because(400, &format!("the body cannot be read: {error}")),
        }
    })
}

fn whole(answer: Answer) -> Reply {
    respond(answer.status, UnsyncBoxBody::new(Full::new(Bytes::from(answer.body))))
}

fn respond(status: u16, body: UnsyncBoxBody<Bytes, Infallible>) -> Reply {
    let mut response = Response::new(body);
    *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or_default();
    let headers = response.headers_mut();
    if status == 401 {
        let realm = HeaderValue::from_static("Basic realm=\"RouterOS REST\"");
        headers.insert(header::WWW_AUTHENTICATE, realm);
    }
    if status != 204 {
        let json = HeaderValue::from_static("application/json");
        headers.insert(header::CONTENT_TYPE, json);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("sameorigin"));
    response
}
