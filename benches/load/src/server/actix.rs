//! actix-web-lab's responder of event streams.

use std::{error::Error, time::Duration};

use actix_web::{App, HttpServer, rt::System, web};
use actix_web_lab::sse::{Data, Event, Sse};
use futures_util::StreamExt;
use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;

use super::QUEUE;

type Events = web::Data<broadcast::Sender<String>>;

pub fn run(port: u16) -> Result<(), Box<dyn Error>> {
    let (events, _) = broadcast::channel::<String>(QUEUE);
    let app = move || {
        App::new()
            .app_data(web::Data::new(events.clone()))
            .route("/sse", web::get().to(sse))
            .route("/pub/{count}", web::post().to(publish))
    };
    System::new().block_on(async {
        let server = HttpServer::new(app)
            .workers(1)
            .max_connections(60_000)
            .backlog(4096)
            .keep_alive(Duration::from_secs(3600))
            .client_request_timeout(Duration::ZERO);
        Ok(server.bind(("127.0.0.1", port))?.run().await?)
    })
}

async fn sse(events: Events) -> impl actix_web::Responder {
    let events = BroadcastStream::new(events.subscribe())
        .filter_map(async |event| event.ok())
        .map(|event| Event::Data(Data::new(event)));
    Sse::from_infallible_stream(events).with_keep_alive(Duration::from_secs(15))
}

async fn publish(count: web::Path<usize>, events: Events, body: String) -> &'static str {
    for _ in 0..*count {
        let _ = events.send(body.clone());
    }
    "ok"
}
