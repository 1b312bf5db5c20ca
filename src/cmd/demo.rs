//! `maskwatch demo`: simulated cameras, real RTSP on the loopback interface, through everything that `run` runs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;

use crate::cli::DemoArgs;
use crate::config::plan::{
    AccessPlan, CameraPlan, CompliancePlan, EventsPlan, InferencePlan, ListenPlan, NetworkPlan, Plan,
};
use crate::config::secret::CameraUrl;
use crate::demo;
use crate::fleet::{ConfigFile, Wish};
use crate::service::{self, Service};
use crate::shutdown::{ExitStatus, Shutdown};
use crate::sim;

/// Runs until a signal, or as long as `--seconds` says.
pub(super) fn run(args: &DemoArgs) -> anyhow::Result<ExitStatus> {
    let shutdown = Shutdown::on_signals_of_service(|| tracing::warn!("SIGHUP: the demo has no configuration file"))?;
    service::start_media()?;
    let folder = args.scenes.clone().unwrap_or_else(find_folder);
    let cameras = demo::cameras(&folder, |count| {
        let text =
            format!("Making {count} clips in {}; this is done once and takes some seconds …\n", folder.display());
        super::greet(text);
    })?;
    if args.prepare {
        super::print(&format!("The clips are in {}\n", folder.display()))?;
        return Ok(ExitStatus::SUCCESS);
    }
    let clips: Vec<PathBuf> = cameras.iter().map(|camera| camera.clip.clone()).collect();
    let simulated = sim::Server::start_files(&sim::Options::local(), &clips).context("the simulated cameras")?;
    let mut service = Service::start(&plan(args, &cameras, &simulated)?)?;
    super::greet(greeting(&service, &simulated));
    let (wishes, seconds) = (service.wishes().clone(), args.seconds);
    std::thread::Builder::new().name("end".into()).spawn(move || {
        match seconds {
            Some(seconds) => drop(shutdown.wait_timeout(Duration::from_secs(seconds))),
            None => shutdown.wait(),
        }
        wishes.put(Wish::End);
    })?;
    service.attend(&ConfigFile::none(), |_| ());
    service.stop();
    Ok(ExitStatus::SUCCESS)
}

/// The configuration that a user would write for these cameras.
fn plan(args: &DemoArgs, cameras: &[demo::DemoCamera], simulated: &sim::Server) -> anyhow::Result<Plan> {
    let camera = |(index, camera): (usize, &demo::DemoCamera)| {
        let url = simulated.url(index);
        let url = CameraUrl::parse(&url).map_err(|problem| anyhow::anyhow!("{url}: {problem:?}"))?;
        Ok(CameraPlan::new(camera.name, url))
    };
    Ok(Plan {
        http: ListenPlan::plain(args.http, None),
        rtsp: ListenPlan::plain(args.rtsp, None),
        access: AccessPlan::default(),
        network: NetworkPlan::default(),
        state_dir: None,
        inference: InferencePlan::default(),
        // A share is to be seen before an hour is over; the interval beside it says how much it is worth.
        compliance: CompliancePlan { min_people: 5, ..CompliancePlan::default() },
        events: EventsPlan::default(),
        cameras: cameras.iter().enumerate().map(camera).collect::<anyhow::Result<_>>()?,
        version: String::new(),
        include: None,
        included: Default::default(),
    })
}

fn greeting(service: &Service, simulated: &sim::Server) -> String {
    let rtsp = service.rtsp_address();
    format!(
        "Maskwatch watches {count} simulated cameras at rtsp://{sim}/cam0 …\n\n{directions}\
         or        ffplay -rtsp_transport tcp rtsp://{rtsp}/mosaic   (the VLC of Debian and Ubuntu is built without RTSP)\n\
         Stop      Ctrl-C\n",
        count = simulated.cameras().len(),
        sim = simulated.address(),
        directions = service.directions(),
    )
}

/// The folder with the portrait: in the working folder, in the checkout that the program was built in, or where the
/// container image has it.
fn find_folder() -> PathBuf {
    let usual = Path::new(".fetched").join("demo");
    let program = std::env::current_exe().unwrap_or_default();
    let beside = program.ancestors().skip(1).take(4).map(|folder| folder.join(&usual));
    std::iter::once(usual.clone())
        .chain(beside)
        .chain([PathBuf::from("/usr/share/maskwatch/demo")])
        .find(|folder| folder.is_dir())
        .unwrap_or(usual)
}
