//! Whoever sits at a terminal is asked before anything is done, by the name of what it is done to.

use super::World;
use super::world::{a_little, exported};
use crate::terminal::{on_a_terminal, shown, typed};

#[tokio::test]
async fn a_move_on_a_terminal_is_done_once_its_target_was_named() {
    let world = World::with("standalone", "federated", &a_little(61)).await;
    let database = &world.stack.database;
    let name = format!("{}:{}/{}", database.server.host, database.server.port, database.name);
    let move_it = ["migrate", "tier", "--to", "federated"];
    let asks = format!("({name}): ");
    let before = world.sides().await;
    for wrong in ["", "yes", &database.name] {
        let mut terminal = on_a_terminal(&world.place, &move_it);
        let plan = shown(&mut terminal, |text| text.contains(&asks)).await;
        assert!(plan.contains("EXPECTED") && plan.contains("move everything to"), "{plan}");
        typed(&mut terminal, wrong).await;
        let rest = shown(&mut terminal, |_| false).await;
        assert_eq!(terminal.wait().await.unwrap().code(), Some(1), "{rest}");
        assert!(rest.contains("that is not its name: nothing was changed"), "{rest}");
    }
    before.assert_same(&world.sides().await);
    assert!(!world.new_config().exists());

    let mut terminal = on_a_terminal(&world.place, &move_it);
    shown(&mut terminal, |text| text.contains(&asks)).await;
    typed(&mut terminal, &name).await;
    let rest = shown(&mut terminal, |_| false).await;
    assert_eq!(terminal.wait().await.unwrap().code(), Some(0), "{rest}");
    assert!(rest.contains("everything was moved") && rest.contains("mosaic serve --config"), "{rest}");
    assert!(exported(&world.moved()).await == exported(&world.place).await);

    // So is a return.
    let mut terminal = on_a_terminal(&world.place, &[&move_it[..], &["--return"]].concat());
    let question = shown(&mut terminal, |text| text.contains(&asks)).await;
    assert!(question.contains("return to the source and leave"), "{question}");
    typed(&mut terminal, "no").await;
    let rest = shown(&mut terminal, |_| false).await;
    assert_eq!(terminal.wait().await.unwrap().code(), Some(1), "{rest}");
    world.place.run(&["serve"]).await.fails_with(&["this data was moved to another tier"]);
}

#[tokio::test]
async fn what_is_piped_has_no_colours_and_no_bars() {
    let world = World::with("standalone", "federated", &a_little(62)).await;
    let (plan, moved) = (world.migrate(&["--dry-run"]).await.exit(0), world.migrate(&["--yes"]).await.exit(0));
    for outcome in [plan, moved] {
        assert!(!outcome.text().contains('\u{1b}') && outcome.stderr.is_empty(), "{}{}", outcome.text(), outcome.stderr);
    }
}
