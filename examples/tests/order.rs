//! Tests of the order.

use durable::testing::{End, TestRun, World, crash_everywhere, shuffled};

use super::*;

fn shop(world: &World) -> Shop {
    Shop {
        client: world.client(),
    }
}

fn large() -> Order {
    Order { id: 2, amount: 500 }
}

#[tokio::test]
async fn large_orders_are_approved_and_paid() {
    let test = TestRun::new(order);
    let shop = shop(&test.world());
    let run = test.state(&shop).run("order-2", large()).await;
    assert_eq!(run.output().unwrap(), "order 2 is paid: receipt-2");
    run.assert_names([
        "reserve",
        "approval",
        "approval/manager",
        "approval/manager/callback",
        "approval/manager/submit",
        "approval/deadline",
        "charge",
    ]);
}

#[tokio::test]
async fn declined_cards_fail_the_order() {
    let test = TestRun::new(order);
    let shop = shop(&test.world());
    let run = test
        .state(&shop)
        .fail_step("charge", "declined", 6)
        .run("order-2", large())
        .await;
    assert!(matches!(run.end(), End::Failed(_)), "{run}");
    assert_eq!(run.attempts("charge"), 6);
}

#[tokio::test]
async fn survives_a_crash_at_any_point() {
    let crashes = crash_everywhere(order, shop, large()).await.unwrap();
    assert!(crashes.count() >= 14, "{crashes:?}");
    shuffled(order, shop, large()).await.unwrap();
}
