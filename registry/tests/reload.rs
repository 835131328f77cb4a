//! Sources that change while they are served.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use registry::server::Running;
use serde_json::{Value, json};
use support::{data, get, one_file, start, start_with, wait_for_load};

const LIST: &str = "/registry/default/v0.1/servers";

fn servers(names: &[&str]) -> Value {
    names.iter().map(|name| json!({"name": name, "version": "1.0.0", "description": "d"})).collect()
}

async fn names(running: &Running) -> Vec<String> {
    get(running.public, &format!("{LIST}?limit=100")).await.names()
}

async fn wait_for_names(running: &Running, expected: &[&str]) {
    wait_for_load(running.loads(), async || names(running).await == expected).await;
}

/// Writes beside and renames over, as a careful writer does.
fn replace(path: &Path, text: &str) {
    let beside = path.with_extension("new");
    fs::write(&beside, text).unwrap();
    fs::rename(&beside, path).unwrap();
}

#[tokio::test]
async fn a_renamed_file_is_noticed() {
    let (running, directory) = start_with(&servers(&["a/a"])).await;
    assert_eq!(names(&running).await, ["a/a"]);
    replace(&directory.path().join("catalog.json"), &servers(&["b/b"]).to_string());
    wait_for_names(&running, &["b/b"]).await;
}

#[tokio::test]
async fn a_file_written_in_place_is_noticed() {
    let (running, directory) = start_with(&servers(&["a/a"])).await;
    fs::write(directory.path().join("catalog.json"), servers(&["c/c", "d/d"]).to_string()).unwrap();
    wait_for_names(&running, &["c/c", "d/d"]).await;
}

#[tokio::test]
async fn the_swap_of_a_kubernetes_volume_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    for (version, server) in [("..2025_01", "a/a"), ("..2025_02", "b/b")] {
        fs::create_dir(at(version)).unwrap();
        fs::write(at(version).join("catalog.json"), servers(&[server]).to_string()).unwrap();
    }
    symlink("..2025_01", at("..data")).unwrap();
    symlink("..data/catalog.json", at("catalog.json")).unwrap();
    let running = start(&one_file(Path::new("catalog.json")), directory.path()).await;
    assert_eq!(names(&running).await, ["a/a"]);

    symlink("..2025_02", at("..data_tmp")).unwrap();
    fs::rename(at("..data_tmp"), at("..data")).unwrap();
    fs::remove_dir_all(at("..2025_01")).unwrap();
    wait_for_names(&running, &["b/b"]).await;
}

#[tokio::test]
async fn a_bad_reload_keeps_the_last_good_data_and_shows() {
    let (running, directory) = start_with(&servers(&["a/a"])).await;
    let path = directory.path().join("catalog.json");
    assert_eq!(get(running.internal, "/readiness").await.json(), json!({"status": "ready"}));

    for bad in ["[", "{}", "", r#"[{"name": "bad", "version": "1.0.0", "description": "d"}]"#] {
        let loads = running.loads();
        let before = *loads.borrow();
        replace(&path, bad);
        wait_for_load(loads.clone(), async || *loads.borrow() > before).await;
        assert_eq!(names(&running).await, ["a/a"], "{bad}");
        let readiness = get(running.internal, "/readiness").await;
        assert_eq!(readiness.status, 200);
        let json = readiness.json();
        assert_eq!(json["status"], "ready");
        assert_eq!(json["sources"][0]["status"], "stale", "{json}");
        assert_eq!(json["sources"][0]["entries"], 1);
        assert!(json["sources"][0]["error"].as_str().unwrap().contains("catalog.json"));
    }
    let loads = running.loads();
    let before = *loads.borrow();
    fs::remove_file(&path).unwrap();
    wait_for_load(loads.clone(), async || *loads.borrow() > before).await;
    assert_eq!(names(&running).await, ["a/a"]);
    let metrics = String::from_utf8(get(running.internal, "/metrics").await.body).unwrap();
    assert!(
        metrics.contains("registry_source_loads_total{source=\"catalog\",result=\"failure\"} 5"),
        "{metrics}"
    );
    assert!(metrics.contains("registry_source_entries{source=\"catalog\"} 1"), "{metrics}");

    fs::write(&path, servers(&["b/b"]).to_string()).unwrap();
    wait_for_names(&running, &["b/b"]).await;
    assert_eq!(get(running.internal, "/readiness").await.json(), json!({"status": "ready"}));
}

#[tokio::test]
async fn a_registry_without_all_of_its_sources_is_not_served() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("there.json"), servers(&["a/a"]).to_string()).unwrap();
    let text = "
sources: [{name: missing, file: {path: missing.json}}, {name: there, file: {path: there.json}}]
registries: [{name: default, sources: [missing, there]}, {name: other, sources: [there]}]
";
    let running = start(text, directory.path()).await;
    let refused = get(running.public, LIST).await;
    assert_eq!(refused.status, 503);
    assert_eq!(refused.header("retry-after"), Some("5"));
    refused.error();
    assert_eq!(get(running.public, "/registry/other/v0.1/servers").await.status, 200);
    assert_eq!(get(running.public, "/openapi.json").await.status, 200);
    assert_eq!(get(running.internal, "/health").await.json(), json!({"status": "healthy"}));
    let readiness = get(running.internal, "/readiness").await;
    assert_eq!(readiness.status, 503);
    let json = readiness.json();
    assert_eq!(json["status"], "not ready");
    assert_eq!(json["sources"][0]["status"], "failed");
    assert_eq!(json["sources"][1]["status"], "ok");

    fs::write(directory.path().join("missing.json"), servers(&["a/a", "b/b"]).to_string()).unwrap();
    wait_for_load(running.loads(), async || get(running.internal, "/readiness").await.status == 200).await;
    assert_eq!(names(&running).await, ["a/a", "b/b"]);
}

#[tokio::test]
async fn an_interval_reads_a_file_that_seems_unchanged() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("catalog.json"), servers(&["a/a"]).to_string()).unwrap();
    let text = "
sources: [{name: catalog, file: {path: catalog.json}, syncPolicy: {interval: 1s}}]
registries: [{name: default, sources: [catalog]}]
";
    let running = start(text, directory.path()).await;
    let loads = running.loads();
    let first = *loads.borrow();
    wait_for_load(loads.clone(), async || *loads.borrow() > first).await;
}

#[tokio::test]
async fn a_walk_over_data_that_is_replaced_shows_what_stays_once() {
    let catalog: Value = serde_json::from_slice(&fs::read(data("catalog-large.json")).unwrap()).unwrap();
    let all = catalog["data"]["servers"].as_array().unwrap().clone();
    let name = |server: &Value| server["name"].as_str().unwrap().to_owned();
    // Every third server comes and goes; all others stay.
    let staying: BTreeSet<String> =
        all.iter().enumerate().filter(|(i, _)| i % 3 != 0).map(|(_, s)| name(s)).collect();
    let without: Vec<Value> = all.iter().filter(|server| staying.contains(&name(server))).cloned().collect();
    let with = |servers: &[Value]| {
        let mut catalog = catalog.clone();
        catalog["data"]["servers"] = json!(servers);
        catalog.to_string()
    };
    let (full, thinned) = (with(&all), with(&without));

    for limit in [5, 30, 100] {
        let (running, directory) = start_with(&catalog).await;
        let path = directory.path().join("catalog.json");
        let mut seen = Vec::new();
        let mut target = format!("{LIST}?limit={limit}");
        for round in 0.. {
            let page = get(running.public, &target).await;
            seen.extend(page.names());
            let json = page.json();
            let Some(cursor) = json["metadata"].get("nextCursor") else {
                break;
            };
            target = format!("{LIST}?limit={limit}&cursor={}", cursor.as_str().unwrap());

            let loads = running.loads();
            let before = *loads.borrow();
            replace(&path, if round % 2 == 0 { &thinned } else { &full });
            wait_for_load(loads.clone(), async || *loads.borrow() > before).await;
        }
        let unique: BTreeSet<String> = seen.iter().cloned().collect();
        assert_eq!(unique.len(), seen.len(), "limit {limit}: shown twice");
        assert!(seen.is_sorted(), "limit {limit}");
        let missed: Vec<_> = staying.difference(&unique).collect();
        assert!(missed.is_empty(), "limit {limit}: {missed:?}");
    }
}

#[tokio::test]
async fn requests_never_see_half_of_a_reload() {
    let (one, two) = (["a/a", "b/b", "c/c"], ["a/x", "b/x", "c/x"]);
    let (running, directory) = start_with(&servers(&one)).await;
    let path = directory.path().join("catalog.json");
    let mut loads = running.loads();
    for round in 0..20 {
        replace(&path, &servers(if round % 2 == 0 { &two } else { &one }).to_string());
        while !loads.has_changed().unwrap() {
            let seen = names(&running).await;
            assert!(seen == one || seen == two, "{seen:?}");
        }
        loads.mark_unchanged();
    }
}
