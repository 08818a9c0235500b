//! Figures for Prometheus. Labels have few values by construction: routes, not paths; tools of
//! the tenants' own are counted as one.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use http::{Method, StatusCode};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// The content type of [`Metrics::render`].
pub(crate) const CONTENT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

const TOOLS: &[&str] = &[
    "Bash",
    "BashOutput",
    "KillShell",
    "Read",
    "Write",
    "Edit",
    "MultiEdit",
    "Glob",
    "Grep",
];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    method: String,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RouteLabels {
    route: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ToolLabels {
    tool: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ToolName {
    tool: &'static str,
}

/// The figures of a server.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    request_seconds: Family<RouteLabels, Histogram>,
    executions: Counter,
    runs: Gauge,
    streams: Gauge,
    tool_calls: Family<ToolLabels, Counter>,
    tool_seconds: Family<ToolName, Histogram>,
}

/// An open event stream; counted until it is dropped.
pub(crate) struct OpenStream(Gauge<i64, AtomicI64>);

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn seconds() -> Histogram {
    Histogram::new([
        0.000_25, 0.001, 0.002_5, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0, 30.0, 120.0,
    ])
}

impl Metrics {
    /// All at zero.
    pub(crate) fn new() -> Arc<Self> {
        let mut registry = Registry::with_prefix("hardshell");
        let requests = Family::<RequestLabels, Counter>::default();
        let request_seconds = Family::<RouteLabels, Histogram>::new_with_constructor(seconds);
        let executions = Counter::default();
        let runs = Gauge::default();
        let streams = Gauge::default();
        let tool_calls = Family::<ToolLabels, Counter>::default();
        let tool_seconds = Family::<ToolName, Histogram>::new_with_constructor(seconds);
        registry.register("http_requests", "Requests answered", requests.clone());
        registry.register_with_unit(
            "http_request_duration",
            "Time until an answer began",
            Unit::Seconds,
            request_seconds.clone(),
        );
        registry.register(
            "executions_started",
            "Runs started by this server",
            executions.clone(),
        );
        registry.register(
            "executions_alive",
            "Runs alive on this server",
            runs.clone(),
        );
        registry.register("event_streams_open", "Event streams open", streams.clone());
        registry.register(
            "tool_calls",
            "Tool calls that have ended",
            tool_calls.clone(),
        );
        registry.register_with_unit(
            "tool_call_duration",
            "Time of tool calls",
            Unit::Seconds,
            tool_seconds.clone(),
        );
        Arc::new(Metrics {
            registry,
            requests,
            request_seconds,
            executions,
            runs,
            streams,
            tool_calls,
            tool_seconds,
        })
    }

    /// A request was answered.
    pub(crate) fn request(
        &self,
        method: &Method,
        route: &str,
        status: StatusCode,
        elapsed: Duration,
    ) {
        let method = match method.as_str() {
            known @ ("GET" | "POST" | "PUT" | "DELETE" | "HEAD" | "OPTIONS" | "PATCH") => known,
            _ => "other",
        };
        let labels = RequestLabels {
            method: method.to_owned(),
            route: route.to_owned(),
            status: status.as_u16(),
        };
        self.requests.get_or_create(&labels).inc();
        let labels = RouteLabels {
            route: route.to_owned(),
        };
        self.request_seconds
            .get_or_create(&labels)
            .observe(elapsed.as_secs_f64());
    }

    /// A run was started.
    pub(crate) fn execution_started(&self) {
        self.executions.inc();
    }

    /// How many runs are alive now.
    pub(crate) fn runs_alive(&self, count: usize) {
        self.runs.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// An event stream was opened.
    pub(crate) fn stream_opened(&self) -> OpenStream {
        self.streams.inc();
        OpenStream(self.streams.clone())
    }

    /// A tool call has ended.
    pub(crate) fn tool_call(&self, tool: &str, outcome: &'static str, elapsed: Duration) {
        let tool = TOOLS
            .iter()
            .find(|known| **known == tool)
            .copied()
            .unwrap_or("other");
        self.tool_calls
            .get_or_create(&ToolLabels { tool, outcome })
            .inc();
        self.tool_seconds
            .get_or_create(&ToolName { tool })
            .observe(elapsed.as_secs_f64());
    }

    /// All figures as text.
    pub(crate) fn render(&self) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut out, &self.registry);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_rendered() {
        let metrics = Metrics::new();
        metrics.request(
            &Method::GET,
            "/healthz",
            StatusCode::OK,
            Duration::from_millis(1),
        );
        metrics.tool_call("Bash", "success", Duration::from_millis(3));
        metrics.tool_call("made-up", "failure", Duration::from_millis(3));
        let open = metrics.stream_opened();
        let text = metrics.render();
        for want in [
            "hardshell_http_requests_total{method=\"GET\",route=\"/healthz\",status=\"200\"} 1",
            "hardshell_tool_calls_total{tool=\"Bash\",outcome=\"success\"} 1",
            "hardshell_tool_calls_total{tool=\"other\",outcome=\"failure\"} 1",
            "hardshell_event_streams_open 1",
        ] {
            assert!(text.contains(want), "{want} in\n{text}");
        }
        drop(open);
        assert!(metrics.render().contains("hardshell_event_streams_open 0"));
    }
}
