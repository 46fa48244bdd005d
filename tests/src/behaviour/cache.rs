//! The cache: bytes under keys, for a while; counters in a window. Cases take times to live so long that the
//! clock, which one case sets, does not matter to the others.

use std::time::Duration;

use super::Env;

/// As good as for ever.
const LONG: Duration = Duration::from_secs(10_000_000);

fn key(env: &Env) -> String {
    format!("test:{}", env.name())
}

pub async fn what_was_never_set_is_absent(env: &Env) {
    assert_eq!(env.cache.get(&key(env)).await.unwrap(), None);
    env.cache.remove(&key(env)).await.unwrap();
}

pub async fn a_value_is_kept_replaced_and_removed(env: &Env) {
    let key = key(env);
    for value in [&b"one"[..], b"", b"\0\xff\r\n two"] {
        env.cache.set(&key, value, LONG).await.unwrap();
        assert_eq!(env.cache.get(&key).await.unwrap().as_deref(), Some(value));
    }
    env.cache.remove(&key).await.unwrap();
    assert_eq!(env.cache.get(&key).await.unwrap(), None);
}

pub async fn keys_are_told_apart(env: &Env) {
    let key = key(env);
    let keys = [key.clone(), key.to_uppercase(), format!("{key} "), format!("{key}\u{1F600}"), format!("{key}*")];
    for key in &keys {
        env.cache.set(key, key.as_bytes(), LONG).await.unwrap();
    }
    for key in &keys {
        assert_eq!(env.cache.get(key).await.unwrap().as_deref(), Some(key.as_bytes()));
    }
}

pub async fn a_large_value_is_kept(env: &Env) {
    let (key, value) = (key(env), vec![0xA5; 100_000]);
    env.cache.set(&key, &value, LONG).await.unwrap();
    assert_eq!(env.cache.get(&key).await.unwrap(), Some(value));
}

pub async fn a_counter_counts_from_1_and_begins_anew_when_removed(env: &Env) {
    let key = key(env);
    for _ in 0..2 {
        for count in 1..=3 {
            assert_eq!(env.cache.increment(&key, LONG).await.unwrap(), count);
        }
        env.cache.remove(&key).await.unwrap();
    }
}

pub async fn of_concurrent_increments_none_is_lost(env: &'static Env) {
    let key: &'static str = key(env).leak();
    let counters: Vec<_> =
        (0..16).map(|_| tokio::spawn(async move { (0..25).map(|_| env.cache.increment(key, LONG)).collect::<Vec<_>>() })).collect();
    let mut counts = Vec::new();
    for counter in counters {
        for increment in counter.await.unwrap() {
            counts.push(tokio::spawn(increment));
        }
    }
    let mut seen = Vec::new();
    for count in counts {
        seen.push(count.await.unwrap().unwrap());
    }
    seen.sort_unstable();
    assert_eq!(seen, (1..=400).collect::<Vec<_>>());
}

/// The only case that lets time pass.
pub async fn entries_are_forgotten_when_their_time_is_up(env: &Env) {
    let (short, kept, replaced, counter) = (key(env), key(env), key(env), key(env));
    let second = Duration::from_secs(1);
    env.cache.set(&short, b"short", 2 * second).await.unwrap();
    env.cache.set(&kept, b"kept", LONG).await.unwrap();
    env.cache.set(&replaced, b"short", 2 * second).await.unwrap();
    env.cache.set(&replaced, b"long", LONG).await.unwrap();
    assert_eq!(env.cache.increment(&counter, 2 * second).await.unwrap(), 1);
    env.pass(second).await;
    assert_eq!(env.cache.get(&short).await.unwrap().as_deref(), Some(&b"short"[..]));
    // The window is counted from the first increment; another does not prolong it.
    assert_eq!(env.cache.increment(&counter, 2 * second).await.unwrap(), 2);
    env.pass(second + second / 2).await;
    assert_eq!(env.cache.get(&short).await.unwrap(), None);
    assert_eq!(env.cache.get(&kept).await.unwrap().as_deref(), Some(&b"kept"[..]));
    assert_eq!(env.cache.get(&replaced).await.unwrap().as_deref(), Some(&b"long"[..]));
    assert_eq!(env.cache.increment(&counter, 2 * second).await.unwrap(), 1);
}
