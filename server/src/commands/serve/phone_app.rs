//! The reference app for phones, under `/app/`: the files of `portal/app`, built into the server.
//!
//! It lives on the server's own origin, so that no other origin is ever let in (no CORS), and under a policy without inline
//! script or style. The service worker gets a hash of all files, so that a new server is a new version of the app.

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, ETAG, IF_NONE_MATCH, LOCATION, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::web::{self, Bytes, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use sha2::{Digest, Sha256};

macro_rules! file {
    ($name:literal, $media_type:literal) => {
        ($name, $media_type, include_str!(concat!("../../../../portal/app/", $name)))
    };
}

/// Name, media type, text.
const FILES: [(&str, &str, &str); 11] = [
    file!("index.html", "text/html; charset=utf-8"),
    file!("app.css", "text/css; charset=utf-8"),
    file!("app.js", "text/javascript; charset=utf-8"),
    file!("bluetooth.js", "text/javascript; charset=utf-8"),
    file!("clinic.js", "text/javascript; charset=utf-8"),
    file!("sender.js", "text/javascript; charset=utf-8"),
    file!("store.js", "text/javascript; charset=utf-8"),
    file!("sw.js", "text/javascript; charset=utf-8"),
    file!("manifest.webmanifest", "application/manifest+json"),
    file!("icon.svg", "image/svg+xml"),
    file!("icon-maskable.svg", "image/svg+xml"),
];

/// Only what the app is made of: its own files, its own server, nothing inline, in nobody's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What the service worker calls its version where nobody has put one.
const NO_VERSION: &str = "\"development\"";

/// Mounts the app.
pub fn routes(config: &mut ServiceConfig) {
    let version = version();
    config.route(
        "/app",
        web::get().to(async || HttpResponse::PermanentRedirect().insert_header((LOCATION, "/app/")).finish()),
    );
    for (name, media_type, text) in FILES {
        let path = if name == "index.html" { "/app/".to_owned() } else { format!("/app/{name}") };
        let body = Bytes::from(text.replacen(NO_VERSION, &format!("\"{version}\""), usize::from(name == "sw.js")));
        let tag = format!("\"{}\"", hex::encode(Sha256::digest(&body)).get(..32).unwrap_or_default());
        let serve = move |request: HttpRequest| {
            let answer = answer(&request, media_type, &tag, body.clone());
            async move { answer }
        };
        config.service(web::resource(path).route(web::get().to(serve.clone())).route(web::head().to(serve)));
    }
}

/// A hash of all files.
fn version() -> String {
    let mut hash = Sha256::new();
    for (name, _, text) in FILES {
        hash.update(name);
        hash.update([0]);
        hash.update(text);
        hash.update([0]);
    }
    hex::encode(hash.finalize()).get(..16).unwrap_or_default().to_owned()
}

fn answer(request: &HttpRequest, media_type: &'static str, tag: &str, body: Bytes) -> HttpResponse {
    let known = request.headers().get(IF_NONE_MATCH).is_some_and(|shown| shown.as_bytes() == tag.as_bytes());
    let mut response = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((ETAG, tag))
        // Asked for each time; that it is the same costs a header.
        .insert_header((CACHE_CONTROL, "no-cache"))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        .insert_header(("Permissions-Policy", "bluetooth=(self), camera=(), geolocation=(), microphone=()"))
        .insert_header(("Cross-Origin-Opener-Policy", "same-origin"))
        .insert_header(("Cross-Origin-Resource-Policy", "same-origin"));
    if known { response.finish() } else { response.content_type(media_type).body(body) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(name: &str) -> &'static str {
        FILES.iter().find(|(file, _, _)| *file == name).map_or("", |(_, _, text)| text)
    }

    #[test]
    fn the_service_worker_keeps_every_file_but_itself_and_can_be_told_its_version() {
        let worker = text("sw.js");
        assert_eq!(worker.matches(NO_VERSION).count(), 1);
        for (name, _, _) in FILES.iter().filter(|(name, _, _)| *name != "sw.js") {
            let path = if *name == "index.html" { "\"/app/\"".to_owned() } else { format!("\"/app/{name}\"") };
            assert!(worker.contains(&path), "{name} is missing: the app would not open without network");
        }
    }

    #[test]
    fn nothing_is_inline_and_nothing_comes_from_elsewhere() {
        for (name, _, text) in FILES {
            for forbidden in [" style=\"", " onclick=", "javascript:", "innerHTML", "eval(", "https://"] {
                assert!(!text.contains(forbidden), "{name} has {forbidden}");
            }
        }
        assert_eq!(text("index.html").matches("<script").count(), 1);
    }
}
