//! A device that answers as ONVIF cameras do: WS-Discovery by UDP, its services by HTTP.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// Where devices listen to questions.
const PORT: u16 = 3702;

/// The device. It ends with its value.
pub struct Onvif {
    /// Its address.
    pub address: Ipv4Addr,
    /// Bodies of the requests that came.
    pub asked: Arc<Mutex<Vec<String>>>,
    service: SocketAddr,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Onvif {
    /// Begins at an address of the loopback network that is this process's own. `login`: it tells what it sends only to
    /// who proves to know a password.
    pub fn start(login: bool) -> Self {
        let process = std::process::id();
        let address = Ipv4Addr::new(127, 83 + u8::from(login), (process >> 8) as u8, (process as u8).clamp(1, 254));
        let udp = UdpSocket::bind((address, PORT)).unwrap();
        let tcp = TcpListener::bind((address, 0)).unwrap();
        udp.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let service = tcp.local_addr().unwrap();
        let ended = Arc::clone(&stop);
        let answers = std::thread::spawn(move || answer_questions(&udp, service, &ended));
        let (ended, heard) = (Arc::clone(&stop), Arc::clone(&asked));
        let services = std::thread::spawn(move || {
            while !ended.load(Ordering::SeqCst) {
                let (stream, _) = tcp.accept().unwrap();
                serve(stream, login, &heard).unwrap_or_default();
            }
        });
        Self { address, asked, service, stop, threads: vec![answers, services] }
    }
}

impl Drop for Onvif {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // It waits for the next one.
        drop(TcpStream::connect(self.service));
        self.threads.drain(..).for_each(|thread| thread.join().unwrap());
    }
}

fn between<'a>(text: &'a str, begin: &str, end: &str) -> Option<&'a str> {
    text.split_once(begin)?.1.split_once(end).map(|(inside, _)| inside)
}

fn answer_questions(udp: &UdpSocket, service: SocketAddr, stop: &AtomicBool) {
    let mut bytes = vec![0; 65_536];
    while !stop.load(Ordering::SeqCst) {
        let Ok((length, from)) = udp.recv_from(&mut bytes) else { continue };
        let question = String::from_utf8_lossy(&bytes[..length]);
        let id = between(&question, "MessageID>", "</").unwrap();
        // One that was not asked for, as others on a network get them; then the answer, in which the device names an
        // address that leads nowhere, too.
        for of in ["uuid:00000000-0000-0000-0000-000000000000", id] {
            let port = service.port();
            let text = format!(
                "<?xml version='1.0'?><E:Envelope xmlns:E='http://www.w3.org/2003/05/soap-envelope' \
                 xmlns:A='http://schemas.xmlsoap.org/ws/2004/08/addressing' \
                 xmlns:D='http://schemas.xmlsoap.org/ws/2005/04/discovery'><E:Header><A:RelatesTo>{of}</A:RelatesTo>\
                 </E:Header><E:Body><D:ProbeMatches><D:ProbeMatch><A:EndpointReference><A:Address>urn:uuid:{of}x\
                 </A:Address></A:EndpointReference><D:Scopes>onvif://www.onvif.org/name/North%20gate \
                 onvif://www.onvif.org/hardware/M1</D:Scopes><D:XAddrs>http://169.254.9.9:{port}/onvif/device_service \
                 http://{service}/onvif/device_service</D:XAddrs></D:ProbeMatch></D:ProbeMatches></E:Body></E:Envelope>"
            );
            udp.send_to(text.as_bytes(), from).unwrap();
        }
    }
}

/// One request, and the connection is closed.
fn serve(mut stream: TcpStream, login: bool, asked: &Mutex<Vec<String>>) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let (mut text, mut chunk) = (String::new(), [0; 4096]);
    loop {
        let length = stream.read(&mut chunk)?;
        if length == 0 {
            return Ok(());
        }
        text += &String::from_utf8_lossy(&chunk[..length]);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let wanted = between(&head.to_ascii_lowercase(), "content-length: ", "\r\n").and_then(|n| n.parse().ok());
        let last = head.to_ascii_lowercase().rsplit_once("content-length: ").and_then(|(_, n)| n.trim().parse().ok());
        if body.len() >= wanted.or(last).unwrap_or(0) {
            break;
        }
    }
    let (_, body) = text.split_once("\r\n\r\n").unwrap();
    asked.lock().unwrap().push(body.to_owned());
    let proven = body.contains("PasswordDigest") && body.contains("<w:Username>ops<");
    let (status, answer) = if login && !proven && !body.contains("GetSystemDateAndTime") {
        let fault = "<E:Fault><E:Code><E:Value>E:Sender</E:Value><E:Subcode><E:Value>ter:NotAuthorized</E:Value>\
                     </E:Subcode></E:Code><E:Reason><E:Text>Sender not Authorized</E:Text></E:Reason></E:Fault>";
        ("400 Bad Request", fault.to_owned())
    } else {
        ("200 OK", answer(body))
    };
    let envelope =
        format!("<E:Envelope xmlns:E='http://www.w3.org/2003/05/soap-envelope'><E:Body>{answer}</E:Body></E:Envelope>");
    let length = envelope.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: application/soap+xml\r\nContent-Length: {length}\r\n\
                    Connection: close\r\n\r\n{envelope}"
    )
}

fn answer(body: &str) -> String {
    if body.contains("GetSystemDateAndTime") {
        // A clock that nobody has set.
        "<UTCDateTime><Time><Hour>0</Hour><Minute>1</Minute><Second>2</Second></Time><Date><Year>2000</Year>\
         <Month>1</Month><Day>1</Day></Date></UTCDateTime>"
            .into()
    } else if body.contains("GetCapabilities") {
        // Behind a translated address.
        "<Capabilities><Media><XAddr>http://192.168.1.64/onvif/media?v=1</XAddr></Media></Capabilities>".into()
    } else if body.contains("GetProfiles") {
        let profile = |token: &str, width: u32, height: u32| {
            format!(
                "<Profiles token='{token}'><Name>{token}</Name><VideoEncoderConfiguration><Encoding>H264</Encoding>\
                 <Resolution><Width>{width}</Width><Height>{height}</Height></Resolution><RateControl>\
                 <FrameRateLimit>25\
                 </FrameRateLimit><BitrateLimit>2048</BitrateLimit></RateControl></VideoEncoderConfiguration>\
                 </Profiles>"
            )
        };
        format!(
            "<GetProfilesResponse>{}{}</GetProfilesResponse>",
            profile("small", 640, 360),
            profile("great", 1920, 1080)
        )
    } else {
        let token = between(body, "ProfileToken>", "</").unwrap_or_default();
        format!("<MediaUri><Uri>rtsp://ops:inline-s3cret@10.9.9.9:554/{token}?channel=1</Uri></MediaUri>")
    }
}
