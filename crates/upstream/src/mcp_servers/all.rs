//! Waiting for several at once.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

/// What all of them come to, in their order.
pub async fn all<T>(futures: impl IntoIterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut under_way: Vec<_> = futures.into_iter().map(|f| Some(Box::pin(f))).collect();
    let mut done: Vec<Option<T>> = under_way.iter().map(|_| None).collect();
    poll_fn(|cx| {
        let mut left = false;
        for (slot, done) in under_way.iter_mut().zip(&mut done) {
            let Some(future) = slot else { continue };
            match Pin::new(future).poll(cx) {
                Poll::Ready(value) => (*slot, *done) = (None, Some(value)),
                Poll::Pending => left = true,
            }
        }
        if left { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    done.into_iter().flatten().collect()
}
