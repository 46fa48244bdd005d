//! The whole life of `mosaic serve`: it takes its address, opens its data, answers, and stops. The first signal lets what
//! is under way come to its end, the second does not wait for it; a part of the backend that ends by itself ends it all.
//! What must not come in: what requests are about.

mod background;
mod connections;
mod descriptors;
mod handshake;
mod listener;
mod signals;
mod supervisor;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use metrics_exporter_prometheus::PrometheusHandle;
use mosaic_core::{Backend, Clock as _, Error, ErrorKind, RandomIds, Result, SystemClock};
use tokio::time::{interval, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::doctor;
use crate::first_admin::{FirstAdmin, Place};
use crate::http::{App, Look, Parts};
use crate::migration;
use crate::models;
use crate::open;
use crate::presence::Presence;
use crate::services::Services;
use crate::telemetry::{self, Writer};
use crate::tls::{Certificate, Files, Watched, warn_of_standing};
use connections::{Server, Stop};
pub(crate) use listener::{choose_another, reached, refused, url_of};
use signals::Signals;

/// How long requests under way may take to come to their end when the gateway stops.
const DRAIN_TIME: Duration = Duration::from_secs(10);

/// How long the storage may take to close: it ends a statement that is still under way at its deadline.
const CLOSE_TIME: Duration = Duration::from_secs(30);

/// How often recorded metrics are put together, so that they take bounded memory when nobody reads them.
const METRICS_UPKEEP: Duration = Duration::from_secs(5);

/// Serves until a signal ends it.
///
/// # Errors
/// Whatever stands in the way of a start; a part of the backend that ended by itself; requests that a second signal cut off.
pub async fn run(config: Config) -> Result<()> {
    let log = telemetry::start_log(&config.log)?;
    let outcome = live(&config, &log).await;
    log.flush();
    outcome
}

async fn live(config: &Config, log: &Writer) -> Result<()> {
    let start = Instant::now();
    let model = models::embeddings(config)?.map(Arc::new);
    let chat = models::chat(config)?.map(Arc::new);
    let mut signals = Signals::new()?;
    let watched = match Files::of(config) {
        Some(files) => {
            let pair = files.pair().await?;
            Some(Watched::new(files, pair, Arc::new(SystemClock)))
        }
        None => None,
    };
    let shown = watched.as_ref().map(|watched| watched.certificate().clone());
    let listener = match listener::bind(config.listen).await {
        Ok(listener) => listener,
        // As a rule it is a gateway on the same data that has the address. Another address would be the wrong cure then.
        Err(error) if error.kind() == ErrorKind::InUse => return Err(open::obstacle(config, "serve").await.unwrap_or(error)),
        Err(error) => return Err(error),
    };
    let limits = descriptors::make_room(config.limits);
    let url = listener::url(&listener, watched.as_ref().map(Watched::certificate))?;
    let stop = Stop { soft: CancellationToken::new(), hard: CancellationToken::new() };
    // However this function ends, connections end with it.
    let _connections_end = stop.hard.clone().drop_guard();
    let tasks = TaskTracker::new();
    let metrics = telemetry::metrics()?;
    let app = App::new(Parts {
        limits,
        tier: config.tier.clone(),
        trusted_proxies: config.trusted_proxies.clone(),
        clock: Arc::new(SystemClock),
        ids: Arc::new(RandomIds),
        metrics: metrics.clone(),
        tasks: tasks.clone(),
        stopping: stop.soft.clone(),
        model: model.clone(),
        chat,
        look: look(config.clone()),
    });
    let server = Server::new(Arc::clone(&app), watched.as_ref().map(Watched::current), stop.clone());
    tokio::spawn(stop.hard.clone().run_until_cancelled_owned(server.accept(listener, limits, tasks.clone())));
    if let Some(watched) = watched {
        tokio::spawn(stop.hard.clone().run_until_cancelled_owned(watched.run()));
    }
    tokio::spawn(stop.hard.clone().run_until_cancelled_owned(keep_up(metrics)));

    let mut backend = tokio::select! {
        opened = open::backend(config, "serve", Some(url.clone())) => opened?,
        () = signals.next() => return Ok(()),
    };
    let presence = Presence::new(Arc::clone(&backend.storage), Arc::new(SystemClock), &RandomIds, "serve", Some(&url));
    if let Err(refused) = migration::enter(&*backend.storage, &presence).await {
        close(&backend, &mut signals).await;
        return Err(refused);
    }
    let mut services = std::mem::take(&mut backend.services);
    services.extend(background::services(&mut backend, model.as_ref(), presence, &stop.soft, &tasks));
    let mut services = Services::start(services);
    let outcome = tokio::select! {
        outcome = answer(&app, &backend, config, shown.as_ref(), &url, start, log) => outcome,
        error = services.first_end() => Err(error),
        () = signals.next() => Ok(()),
    };
    let stopped = drain(&stop, &tasks, &mut signals).await;
    if stopped.is_ok() && close(&backend, &mut signals).await {
        tracing::info!("stopped");
    }
    outcome.and(stopped)
}

/// Says in the log what is not safe about the certificate that the listener shows, or about there being none.
fn warn_of_transport(config: &Config, shown: Option<&Certificate>) {
    match shown {
        Some(certificate) => warn_of_standing(certificate, SystemClock.now()),
        // Whoever names proxies has one in front, whose business it is.
        None if config.listen.ip().to_canonical().is_loopback() || !config.trusted_proxies.is_empty() => {}
        None => tracing::warn!(
            listen = %config.listen,
            "others reach this address without TLS, and tokens may be read on the way: set tls.certificate_file and tls.key_file, or put a proxy \
             in front that speaks TLS and name it in trusted_proxies"
        ),
    }
}

/// How an operator has this gateway looked at.
fn look(config: Config) -> Look {
    let config = Arc::new(config);
    Arc::new(move || {
        let config = Arc::clone(&config);
        async move { doctor::of_running(&config).await }.boxed()
    })
}

/// Opens the API to the data, and answers for ever.
async fn answer(
    app: &App,
    backend: &Backend,
    config: &Config,
    shown: Option<&Certificate>,
    url: &str,
    start: Instant,
    log: &Writer,
) -> Result<()> {
    // Shown before anything else can go wrong: nobody can ask for it again.
    if let Some(issued) = (FirstAdmin { storage: &*backend.storage, clock: &SystemClock, ids: &RandomIds }).ensure(Place::find()).await? {
        log.flush();
        issued.announce(url);
    }
    app.open(backend).await?;
    warn_of_transport(config, shown);
    let ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(url, tier = config.tier, ms, "ready");
    supervisor::ready().await;
    std::future::pending().await
}

async fn keep_up(metrics: PrometheusHandle) {
    let mut ticks = interval(METRICS_UPKEEP);
    loop {
        ticks.tick().await;
        metrics.run_upkeep();
    }
}

/// Stops accepting, and lets requests under way come to their end.
async fn drain(stop: &Stop, tasks: &TaskTracker, signals: &mut Signals) -> Result<()> {
    tracing::info!("stopping; requests under way have {} s, a second signal ends them at once", DRAIN_TIME.as_secs());
    stop.soft.cancel();
    supervisor::stopping().await;
    tasks.close();
    tokio::select! {
        () = tasks.wait() => {}
        () = sleep(DRAIN_TIME) => tracing::warn!("requests that are still under way are cut off"),
        () = signals.next() => return Err(Error::new(ErrorKind::Unavailable, "stopped by a second signal, before all requests came to their end")),
    }
    stop.hard.cancel();
    Ok(())
}

/// Closes the storage; answers whether it closed well. What was acknowledged is safe already, so nothing here is worth a failure.
async fn close(backend: &Backend, signals: &mut Signals) -> bool {
    tokio::select! {
        closed = timeout(CLOSE_TIME, backend.storage.close()) => match closed {
            Ok(Ok(())) => return true,
            Ok(Err(error)) => tracing::warn!("the storage did not close well: {error:?}"),
            Err(_) => tracing::warn!("the storage did not close in time"),
        },
        () = signals.next() => {}
    }
    false
}
