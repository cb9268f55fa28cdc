use durable::prelude::*;

struct Jobs<T>(T);

impl<T: Default> Jobs<T> {
    #[durable]
    async fn handler() -> Result<(), BoxError> {
        drop(T::default());
        Ok(())
    }
}

fn main() {
    let _ = Jobs::<u32>::handler();
}
