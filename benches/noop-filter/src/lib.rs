//! Every callback of the SDK, none with anything in it: the other end of the scale in benchmarks.

#[cfg(target_os = "wasi")]
#[allow(unsafe_code, reason = "the SDK's macro exports symbols")]
mod filter {
    use proxy_wasm::traits::{Context, HttpContext, RootContext};
    use proxy_wasm::types::ContextType;

    proxy_wasm::main! {{
        proxy_wasm::set_root_context(|_| -> Box<dyn RootContext> { Box::new(Root) });
    }}

    struct Root;

    impl Context for Root {}

    impl RootContext for Root {
        fn get_type(&self) -> Option<ContextType> {
            Some(ContextType::HttpContext)
        }

        fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
            Some(Box::new(Request))
        }
    }

    struct Request;

    impl Context for Request {}

    impl HttpContext for Request {}
}
