//! `check`, and what every command refuses.

use super::{LOCAL, SEEDS, check, command, directory, render, seed, stderr, write};

#[test]
fn every_seed_document_passes() {
    for name in SEEDS {
        let output = check(&seed(name), &[]);
        assert_eq!(output.status.code(), Some(0), "{name}: {}", stderr(&output));
        assert!(String::from_utf8(output.stdout).unwrap().contains(": ok ("));
    }
}

#[test]
fn every_example_passes_with_warnings_about_files_and_networks_only() {
    let examples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut passed = 0;
    for entry in std::fs::read_dir(examples).unwrap().map(Result::unwrap) {
        let output = check(&entry.path().join("config.yaml"), &[]);
        let (name, said) = (entry.file_name(), stderr(&output));
        assert_eq!(output.status.code(), Some(0), "{name:?}: {said}");
        let expected = ["cannot be read", "private and loopback addresses", "loopback host"];
        assert!(said.lines().all(|line| expected.iter().any(|text| line.contains(text))), "{name:?}: {said}");
        passed += 1;
    }
    assert_eq!(passed, 7);
}

#[test]
fn all_errors_are_reported_at_once() {
    let directory = directory("all_errors");
    let text = "auth:\n  oauth:\n    resourceUrl: registry.example.com\n    provider: []\n    providers:\n      - {name: a, issuerUrl: 'https://u:hunter2@a.example', \
                audiance: x}\ndatabase: {password: hunter2}\n";
    let output = check(&write(&directory, "config.yaml", text), &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let errors = stderr(&output);
    assert_eq!(errors.lines().count(), 5, "{errors}");
    assert!(errors.lines().all(|line| line.starts_with("error: auth.oauth.")), "{errors}");
    assert!(
        errors.contains("auth.oauth.providers[0].audiance: ") && errors.contains("did you mean audience?"),
        "{errors}"
    );
    assert!(!errors.contains("hunter2"), "{errors}");
}

#[test]
fn what_is_no_document_is_an_error_and_what_cannot_be_read_is_another() {
    let directory = directory("no_document");
    for (name, text) in [
        ("empty.yaml", ""),
        ("twice.yaml", "auth: {}\nauth: {}\n"),
        ("open.yaml", "auth: ["),
        ("list.yaml", "- auth\n"),
    ] {
        let output = check(&write(&directory, name, text), &[]);
        assert_eq!(output.status.code(), Some(1), "{name}");
        assert!(stderr(&output).starts_with("error: "), "{name}");
    }
    std::fs::write(directory.join("latin1.yaml"), b"auth: \xfc").unwrap();
    assert_eq!(check(&directory.join("latin1.yaml"), &[]).status.code(), Some(1));
    for file in [directory.join("missing.yaml"), directory.clone()] {
        let output = check(&file, &[]);
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains("cannot be read"));
        assert_eq!(render(&file, &[]).status.code(), Some(2));
    }
}

#[test]
fn wrong_usage_is_2() {
    let config = seed("basic");
    let config = config.to_str().unwrap();
    for arguments in [
        vec![],
        vec!["check"],
        vec!["check", config],
        vec!["check", "--config", config, "--nope"],
        vec!["render", "nginx", "--config", config],
        vec!["render", "envoy", "--config", config],
    ] {
        assert_eq!(command(&arguments).output().unwrap().status.code(), Some(2), "{arguments:?}");
    }
    for more in [
        vec!["--rate-limit", "0"],
        vec!["--rate-limit", "many"],
        vec!["--admin", "localhost"],
        vec!["--admin", "example.com:80"],
        vec!["--admin", "::1:80"],
        vec!["--tls-cert", "chain.pem"],
        vec!["--backend", "127.0.0.1:8090"],
        vec!["--backend", "http://127.0.0.1:8090/path"],
        vec!["--backend", "http://user:secret@registry.example"],
    ] {
        let output = render(&seed("basic"), &more);
        assert_eq!(output.status.code(), Some(2), "{more:?}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn insecure_http_comes_from_the_environment_only() {
    let directory = directory("insecure");
    let text = std::fs::read_to_string(seed("basic")).unwrap().replace("https://keycloak", "http://keycloak");
    let file = write(&directory, "config.yaml", &text);
    assert_eq!(check(&file, &[]).status.code(), Some(1));
    for (value, code) in [("true", 0), ("1", 1), ("TRUE", 1), ("", 1)] {
        let status = command(&["check", "--config"])
            .arg(&file)
            .env("REGISTRY_AUTH_INSECURE_HTTP", value)
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(code), "{value:?}");
    }
    let rendered = command(&[
        "render",
        "envoy",
        "--wasm",
        "/f.wasm",
        "--listen",
        ":80",
        "--backend",
        "http://b.example",
        "--config",
    ])
    .arg(&file)
    .env("REGISTRY_AUTH_INSECURE_HTTP", "true")
    .output()
    .unwrap();
    let text = String::from_utf8(rendered.stdout).unwrap();
    assert!(!text.contains("INSECURE_HTTP=true") && text.contains("Plain http"), "{text}");
}

#[test]
fn referenced_files_are_warnings_or_errors() {
    let directory = directory("files");
    let config = write(&directory, "config.yaml", LOCAL);
    let output = check(&config, &[]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(stderr(&output).matches("cannot be read").count(), 3, "{}", stderr(&output));
    assert_eq!(check(&config, &["--files"]).status.code(), Some(1));

    std::fs::create_dir(directory.join("certs")).unwrap();
    let certificate = "-----BEGIN CERTIFICATE-----\nMIGAMA==\n-----END CERTIFICATE-----\n";
    let good: String =
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", base64_sequence());
    write(&directory, "secret", "s3cr3t of two words\n");
    write(&directory, "token", "  abc.def.ghi\n");
    write(&directory, "certs/ca.pem", &format!("# roots\n{good}{good}"));
    let output = check(&config, &["--files"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));

    for (file, text, fault) in [
        ("secret", String::new(), "is empty"),
        ("secret", " \n\t".to_owned(), "is empty"),
        ("secret", "hunter2\nhunter2".to_owned(), "control characters"),
        ("secret", "x".repeat(64 * 1024 + 1), "longer than 64 KiB"),
        ("token", "hunter2 hunter2".to_owned(), "blanks"),
        ("token", "hunter\u{fc}".to_owned(), "blanks"),
        ("certs/ca.pem", String::new(), "no PEM certificate"),
        ("certs/ca.pem", "hunter2".to_owned(), "no PEM certificate"),
        ("certs/ca.pem", certificate.to_owned(), "no PEM certificate"),
        ("certs/ca.pem", good.replace("END", "ND"), "no PEM certificate"),
        ("certs/ca.pem", good.replace("CERTIFICATE", "PRIVATE KEY"), "no PEM certificate"),
    ] {
        let before = std::fs::read_to_string(directory.join(file)).unwrap();
        write(&directory, file, &text);
        let output = check(&config, &["--files"]);
        assert_eq!(output.status.code(), Some(1), "{file}: {text:.40}");
        let errors = stderr(&output);
        assert!(errors.contains(fault) && errors.contains("error: auth.oauth.providers[0]."), "{errors}");
        assert!(!errors.contains("hunter2"), "{errors}");
        write(&directory, file, &before);
    }
}

/// 130 bytes of DER, `SEQUENCE` of 127 zeros with a long length, as base64.
fn base64_sequence() -> String {
    format!("MIF/{}", "A".repeat(127 / 3 * 4)) + "AA=="
}
