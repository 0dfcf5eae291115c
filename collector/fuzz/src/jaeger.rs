//! Comes in: random bytes, of which the first chooses a method of Jaeger's gRPC API and the rest are its request. Goes out:
//! nothing; a call that is neither answered nor refused for what it asks panics.

use std::sync::{LazyLock, Mutex, PoisonError};

use tokio::runtime::{Builder, Runtime};
use tonic::{Code, Status, transport::Channel};

use super::{
    grpc::call,
    running::{RUNNING, TOKEN},
};

const METHODS: &[&str] = &[
    "api_v3.QueryService/FindTraces",
    "api_v3.QueryService/FindTraceSummaries",
    "api_v3.QueryService/GetTrace",
    "api_v3.QueryService/GetOperations",
    "api_v3.QueryService/GetServices",
    "api_v3.QueryService/GetDependencies",
    "api_v2.QueryService/FindTraces",
    "api_v2.QueryService/GetTrace",
    "api_v2.QueryService/GetOperations",
    "api_v2.QueryService/GetServices",
    "api_v2.QueryService/GetDependencies",
];

static CLIENT: LazyLock<Mutex<(Runtime, Channel)>> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime can be had");
    let place = RUNNING.addresses.jaeger_grpc.expect("it was asked for");
    let channel = Channel::from_shared(format!("http://{place}")).expect("it is an address");
    let channel = runtime.block_on(channel.connect()).expect("the collector listens");
    Mutex::new((runtime, channel))
});

/// Is this how a wrong question is refused?
fn is_refusal(status: &Status) -> bool {
    match status.code() {
        Code::InvalidArgument | Code::NotFound => true,
        // How gRPC's library tells that a request is no protobuf.
        Code::Internal => status.message().contains("decode"),
        _ => false,
    }
}

/// One input.
pub fn jaeger(bytes: &[u8]) {
    let Some((choice, request)) = bytes.split_first() else { return };
    let method = METHODS[usize::from(*choice) % METHODS.len()];
    let client = CLIENT.lock().unwrap_or_else(PoisonError::into_inner);
    let (runtime, channel) = &*client;
    if let Err(status) = runtime.block_on(call(channel, method, request.to_vec(), TOKEN)) {
        assert!(is_refusal(&status), "{method} {request:02x?}: {status}");
    }
}
