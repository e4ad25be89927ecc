"""Network namespaces of this machine as hosts with addresses of their own, between which a network has a rate and,
where the kernel has netem, a delay. Needs root."""

import os
import pathlib
import shutil
import subprocess

# As root, more ranks than processors, each on any of them, and none that spins; only over the network, where a host
# that answers no more is missed after some three seconds.
MPI = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_rmaps_base_oversubscribe": "1",
       "OMPI_MCA_hwloc_base_binding_policy": "none", "OMPI_MCA_mpi_yield_when_idle": "1",
       "OMPI_MCA_pml": "ob1", "OMPI_MCA_btl": "tcp,self", "OMPI_MCA_oob_tcp_keepalive_time": "1",
       "OMPI_MCA_oob_tcp_keepalive_intvl": "1", "OMPI_MCA_oob_tcp_keepalive_probes": "2"}
NETWORK = "10.77.0"


def ip(*words: str, check: bool = True) -> subprocess.CompletedProcess:
    return subprocess.run(["ip", *words], capture_output=True, text=True, check=check)


def missing() -> str:
    """Why there can be no hosts; empty where there can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    for program in ("ip", "tc", "unshare", "mpirun"):
        if shutil.which(program) is None:
            return f"there is no {program}"
    name = f"unmask-{os.getpid()}-probe"
    made = ip("netns", "add", name, check=False)
    ip("netns", "del", name, check=False)
    return "" if made.returncode == 0 else f"no network namespaces: {made.stderr.strip()}"


class Hosts:
    """`count` hosts at a switch; the first one starts programs."""

    def __init__(self, count: int, folder: pathlib.Path):
        self.names = [f"unmask-{os.getpid()}-{i}" for i in range(count)]
        self.switch = f"unmask-{os.getpid()}-switch"
        self.addresses = [f"{NETWORK}.{i + 1}" for i in range(count)]
        self.agent = folder / "agent"
        try:
            self._connect()
        except BaseException:
            self.close()
            raise
        names = " ".join(f"{address}) name={name};;" for address, name in zip(self.addresses, self.names))
        # What a launcher calls as it would call ssh: HOST COMMAND. Hosts differ in their names, too.
        self.agent.write_text(f'#!/bin/sh\ncase "$1" in {names} esac\nshift\nexec ip netns exec "$name" unshare --uts '
                              'sh -c "hostname $name; $*"\n')
        self.agent.chmod(0o755)

    def _connect(self):
        ip("netns", "add", self.switch)
        ip("-n", self.switch, "link", "add", "bridge", "type", "bridge")
        ip("-n", self.switch, "link", "set", "bridge", "up")
        for i, (name, address) in enumerate(zip(self.names, self.addresses)):
            ip("netns", "add", name)
            ip("-n", name, "link", "add", "net", "type", "veth", "peer", "name", f"port{i}", "netns", self.switch)
            ip("-n", self.switch, "link", "set", f"port{i}", "master", "bridge", "up")
            ip("-n", name, "address", "add", f"{address}/24", "dev", "net")
            ip("-n", name, "link", "set", "net", "up")
            ip("-n", name, "link", "set", "lo", "up")

    def limit(self, gigabits: float, delay_microseconds: int = 0) -> bool:
        """What each host sends and receives a second, and how late; False where the kernel cannot delay."""
        burst = max(64, int(gigabits * 1000))  # kilobytes: a packet of 64 KB and some
        for space, link in [(name, "net") for name in self.names] + [(self.switch, f"port{i}")
                                                                     for i in range(len(self.names))]:
            subprocess.run(["tc", "-n", space, "qdisc", "replace", "dev", link, "root", "handle", "1:", "tbf", "rate",
                            f"{gigabits}gbit", "burst", f"{burst}k", "latency", "100ms"], check=True)
        if delay_microseconds == 0:
            return True
        delayed = [subprocess.run(["tc", "-n", self.switch, "qdisc", "add", "dev", f"port{i}", "parent", "1:", "netem",
                                   "delay", f"{delay_microseconds}us"], capture_output=True)
                   for i in range(len(self.names))]
        return all(made.returncode == 0 for made in delayed)

    def cut_off(self, host: int):
        """Nothing reaches the host any more, and nobody is told."""
        ip("-n", self.switch, "link", "set", f"port{host}", "down")

    def begin(self, *words: str, processes: int = 0) -> subprocess.Popen:
        """Starts a program with a rank on each host."""
        count = processes or len(self.names)
        launch = ["sh", "-c", f'hostname {self.names[0]}; exec mpirun "$@"', "mpirun", "-n", str(count), "--host",
                  ",".join(f"{address}:1" for address in self.addresses), "--map-by", "ppr:1:node", *words]
        mpi = {**MPI, "OMPI_MCA_plm_rsh_agent": str(self.agent), "OMPI_MCA_btl_tcp_if_include": f"{NETWORK}.0/24",
               "OMPI_MCA_oob_tcp_if_include": f"{NETWORK}.0/24"}
        return subprocess.Popen(["ip", "netns", "exec", self.names[0], "unshare", "--uts", *launch],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                env={**os.environ, **mpi}, start_new_session=True)

    def close(self):
        for name in [*self.names, self.switch]:
            for pid in ip("netns", "pids", name, check=False).stdout.split():
                subprocess.run(["kill", "-9", pid], check=False, capture_output=True)
            ip("netns", "del", name, check=False)
