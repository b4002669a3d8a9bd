//! What an operator copies works: every sample configuration is taken by the node, and the service's
//! unit says what it must.

#![expect(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

use std::collections::BTreeSet;
use std::path::PathBuf;

use node::config::NodeConfig;
use node::keys::NODE_KEY_NAME;

fn deploy(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(path)
}

fn samples() -> Vec<PathBuf> {
    let found = std::fs::read_dir(deploy("config")).unwrap().map(|entry| entry.unwrap().path());
    let mut samples: Vec<PathBuf> = found.filter(|path| path.extension().is_some_and(|end| end == "toml")).collect();
    samples.sort();
    samples
}

fn unit_lines() -> BTreeSet<String> {
    std::fs::read_to_string(deploy("systemd/tsunagi-node.service")).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn every_sample_is_taken_by_the_node() {
    let mut kinds = Vec::new();
    for sample in samples() {
        let config = NodeConfig::read(&sample).unwrap_or_else(|error| panic!("{error}"));
        let [seat] = config.seats.as_slice() else { panic!("{}: not one seat", sample.display()) };
        kinds.push(seat.party.kind().as_str());
        assert!(!config.network.noise_fallback, "{}: noise is no default", sample.display());
        let dials_out_only = config.network.listen.is_empty();
        assert_eq!(dials_out_only, seat.credential.is_some(), "{}: offices dial out", sample.display());
    }
    kinds.sort_unstable();
    assert_eq!(kinds, ["directory", "hospital", "insurer", "office", "pseudonymiser", "witness"]);
}

#[test]
fn every_key_of_a_sample_is_explained() {
    for sample in samples() {
        let text = std::fs::read_to_string(&sample).unwrap();
        // A comment explains the keys right below it, also through the head of their table.
        let (mut explained, mut after_comment) = (false, false);
        for line in text.lines() {
            if line.starts_with('#') {
                (explained, after_comment) = (true, true);
                continue;
            }
            if line.is_empty() || (line.starts_with('[') && !after_comment) {
                explained = false;
            }
            let key = line.split_once(" = ").map_or("", |(key, _)| key);
            assert!(key.is_empty() || explained, "{}: {key}", sample.display());
            after_comment = false;
        }
    }
}

#[test]
fn the_paths_of_the_samples_are_those_the_unit_makes() {
    let unit = unit_lines();
    assert!(unit.contains("StateDirectory=tsunagi-node tsunagi-node/data tsunagi-node/keys"));
    for sample in samples() {
        let config = NodeConfig::read(&sample).unwrap();
        assert_eq!(config.data, PathBuf::from("/var/lib/tsunagi-node/data"), "{}", sample.display());
        assert_eq!(config.keys, PathBuf::from("/var/lib/tsunagi-node/keys"), "{}", sample.display());
        // A dynamic user can read no secret below /etc.
        assert!(config.api.token_file.starts_with("/var/lib/tsunagi-node"), "{}", sample.display());
    }
}

#[test]
fn the_unit_says_what_it_must() {
    let unit = unit_lines();
    let credential = format!("LoadCredential={NODE_KEY_NAME}:/etc/tsunagi-node/node-key");
    for line in [
        credential.as_str(),
        "ExecStart=/usr/bin/tsunagi-node --config /etc/tsunagi-node/node.toml",
        "DynamicUser=yes",
        "StateDirectoryMode=0700",
        "UMask=0077",
        "LimitCORE=0",
        "MemorySwapMax=0",
        "NoNewPrivileges=yes",
        "CapabilityBoundingSet=",
        "ProtectSystem=strict",
        "ProtectHome=yes",
        "PrivateDevices=yes",
        "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK",
        "MemoryDenyWriteExecute=yes",
        "SystemCallFilter=@system-service",
        "SystemCallFilter=~@privileged @resources",
        "RestartPreventExitStatus=78",
    ] {
        assert!(unit.contains(line), "the unit lost {line}");
    }
    let unset = unit.iter().find_map(|line| line.strip_prefix("UnsetEnvironment=")).unwrap();
    assert!(unset.split(' ').any(|name| name == "SSLKEYLOGFILE"), "{unset}");
}
