//! What is served: one person's tasks, each of some 400 bytes of JSON, the same for whoever serves them. What must not come in: how they are
//! stored.

use serde_json::{Value, json};

/// Whose they are.
pub(crate) const OWNER: &str = "8d9165a9-73d9-5967-8a43-88abcf37165a";

/// The fields of a task that everybody stores.
pub(crate) fn task(number: usize) -> Value {
    let statuses = ["open", "in_progress", "blocked", "done", "cancelled"];
    let minutes = number * 7;
    json!({
        "title": format!("Task number {number}"),
        "body": "Some words about the work that is to be done here, ".repeat(1 + number % 5),
        "status": statuses[number % 5],
        "priority": number % 5,
        "tags": ["workshop", "spring"],
        "created_at": format!("{}-{:02}-{:02}T{:02}:{:02}:00Z", 2024 + minutes / 483_840, 1 + minutes / 40_320 % 12, 1 + minutes / 1_440 % 28, minutes / 60 % 24, minutes % 60),
    })
}

/// The id of a task, spread over all that there may be.
pub(crate) fn id(number: usize) -> String {
    let spread = (number as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    let hex = format!("{spread:032x}");
    format!("{}-{}-7{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
}

/// So many numbers of tasks, from everywhere among them.
pub(crate) fn some(tasks: usize) -> impl Iterator<Item = usize> {
    (0..16).map(move |n| n * tasks / 16)
}

/// The file that a gateway imports: the owner, and their tasks.
pub(crate) fn lines(tasks: usize) -> String {
    let mut text =
        json!({ "kind": "user", "id": OWNER, "login": "owner", "name": "Owner", "created_at": "2023-03-01T12:00:00Z" }).to_string() + "\n";
    for number in 0..tasks {
        let mut task = task(number);
        let more = json!({ "kind": "task", "id": id(number), "owner_id": OWNER });
        task.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        text += &(task.to_string() + "\n");
    }
    text
}
