//! What goes wrong with a server, and what is said then.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use headwater::postgres::{Address, Fault, FaultKind, connect};
use headwater::test::ScratchSchema;

const SECRET: &str = "s3cret";

fn address(place: &str) -> Address {
    format!("postgres://ann:{SECRET}@{place}?connect_timeout=2&sslmode=disable").parse().unwrap()
}

async fn refused(address: &Address) -> Fault {
    let fault = connect(address).await.err().unwrap();
    assert!(!format!("{fault} {fault:?}").contains(SECRET), "{fault:?}");
    fault
}

/// Answers every login with an error; returns its address.
fn liar(code: &'static str, message: &'static str) -> Address {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut length = [0; 4];
            stream.read_exact(&mut length).unwrap();
            let mut rest = vec![0; u32::from_be_bytes(length) as usize - 4];
            stream.read_exact(&mut rest).unwrap();
            let fields = format!("SFATAL\0VFATAL\0C{code}\0M{message}\0\0");
            let mut reply = vec![b'E'];
            reply.extend((fields.len() as u32 + 4).to_be_bytes());
            reply.extend(fields.as_bytes());
            stream.write_all(&reply).unwrap();
        }
    });
    address(&format!("127.0.0.1:{port}/shop"))
}

#[tokio::test]
async fn a_server_that_is_down_is_named_with_its_port() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let fault = refused(&address(&format!("{free}/shop"))).await;
    assert_eq!(fault.kind(), FaultKind::Lost);
    assert!(fault.to_string().contains(&format!("PostgreSQL at {free} cannot be reached")));
}

#[tokio::test]
async fn each_refusal_of_a_login_says_who_acts() {
    let cases = [
        ("28P01", "password authentication failed", FaultKind::Misconfigured),
        ("3D000", "database \"shop\" does not exist", FaultKind::Misconfigured),
        ("53300", "sorry, too many clients already", FaultKind::Unavailable),
        ("57P03", "the database system is starting up", FaultKind::Unavailable),
        ("08P01", "unsupported startup parameter: options", FaultKind::Misconfigured),
    ];
    for (code, message, kind) in cases {
        let fault = refused(&liar(code, message)).await;
        assert_eq!((fault.kind(), fault.code()), (kind, Some(code)), "{fault}");
        assert!(fault.to_string().contains("127.0.0.1:"), "{fault}");
    }
}

#[tokio::test]
async fn a_server_that_hangs_up_is_lost() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap();
    thread::spawn(move || drop(listener.accept()));
    let fault = refused(&address(&format!("{place}/shop"))).await;
    assert_eq!(fault.kind(), FaultKind::Lost, "{fault}");
}

#[tokio::test]
async fn an_unknown_database_is_named() {
    let other = ScratchSchema::server_with("dbname=no_such_database").unwrap();
    let fault = connect(&other.parse().unwrap()).await.err().unwrap();
    assert_eq!(fault.kind(), FaultKind::Misconfigured);
    assert!(fault.to_string().contains("no database \"no_such_database\": create it"), "{fault}");
}

#[tokio::test]
async fn encryption_that_the_server_does_not_have_is_not_replaced_by_none() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        stream.read_exact(&mut [0; 8]).unwrap();
        stream.write_all(b"N").unwrap();
    });
    let text = format!("postgres://ann:{SECRET}@{place}/shop?sslmode=require");
    let fault = refused(&text.parse().unwrap()).await;
    assert_eq!(fault.kind(), FaultKind::Misconfigured, "{fault}");
    assert!(fault.to_string().contains("no encrypted connection"), "{fault}");
}

#[tokio::test]
async fn statements_fail_by_class() {
    let scratch = ScratchSchema::new().unwrap();
    let client = connect(scratch.address()).await.unwrap();
    let make =
        "create table t (x bigint constraint one_only primary key); insert into t values (1)";
    client.batch_execute(make).await.unwrap();
    let cases = [
        ("insert into t values (1)", FaultKind::Refused),
        ("insert into u values (1)", FaultKind::Statement),
        ("select '12 Main Street'::bigint", FaultKind::Statement),
        ("begin read only; insert into t values (2)", FaultKind::Unavailable),
        ("do $$ begin raise 'not so' using errcode = '40001'; end $$", FaultKind::Contended),
    ];
    for (sql, kind) in cases {
        let error = client.batch_execute(sql).await.unwrap_err();
        let fault = Fault::of(&error, scratch.address());
        assert_eq!(fault.kind(), kind, "{sql}: {fault}");
        assert!(!fault.to_string().contains("Main Street"), "{fault}");
        assert_eq!(fault.constraint(), (kind == FaultKind::Refused).then_some("one_only"));
        client.batch_execute("rollback").await.unwrap();
    }
}

#[tokio::test]
async fn a_session_that_is_ended_is_lost() {
    let scratch = ScratchSchema::new().unwrap();
    let client = connect(scratch.address()).await.unwrap();
    client.batch_execute("begin").await.unwrap();
    scratch.end_sessions().unwrap();
    let error = client.batch_execute("commit").await.unwrap_err();
    let fault = Fault::of(&error, scratch.address());
    assert!(fault.kind() == FaultKind::Lost && fault.ends_connection(), "{fault}");
}
