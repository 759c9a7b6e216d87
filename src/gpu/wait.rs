//! How one waits for the end of work on a device: a driver is polled on the calling thread, a
//! browser calls back.

#[cfg(not(target_family = "wasm"))]
pub(crate) use driver::end_of;

#[cfg(target_family = "wasm")]
pub(crate) use browser::end_of;

#[cfg(not(target_family = "wasm"))]
mod driver {
    use std::future::{Ready, ready};
    use std::time::Duration;

    /// Waits for a submission; the future is ready.
    pub(crate) fn end_of(
        device: &wgpu::Device,
        _: &wgpu::Queue,
        index: wgpu::SubmissionIndex,
        patience: Duration,
    ) -> Ready<Result<(), wgpu::PollError>> {
        let wait = wgpu::PollType::Wait { submission_index: Some(index), timeout: Some(patience) };
        ready(device.poll(wait).map(|_| ()))
    }
}

#[cfg(target_family = "wasm")]
mod browser {
    use std::future::poll_fn;
    use std::sync::{Arc, Mutex, PoisonError};
    use std::task::{Poll, Waker};
    use std::time::Duration;

    /// Whether the work has ended, and who is to be told.
    type Ended = (bool, Option<Waker>);

    /// Ready when all work submitted so far has ended, and buffers that wait to be mapped have
    /// been.
    pub(crate) fn end_of(
        _: &wgpu::Device,
        queue: &wgpu::Queue,
        _: wgpu::SubmissionIndex,
        _: Duration,
    ) -> impl Future<Output = Result<(), wgpu::PollError>> {
        let ended = Arc::new(Mutex::new(Ended::default()));
        let tell = Arc::clone(&ended);
        queue.on_submitted_work_done(move || {
            let mut ended = tell.lock().unwrap_or_else(PoisonError::into_inner);
            ended.0 = true;
            ended.1.take().map(Waker::wake);
        });
        poll_fn(move |context| {
            let mut ended = ended.lock().unwrap_or_else(PoisonError::into_inner);
            if ended.0 {
                return Poll::Ready(Ok(()));
            }
            ended.1 = Some(context.waker().clone());
            Poll::Pending
        })
    }
}
