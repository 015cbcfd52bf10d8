from pathlib import Path


def find_processes(*words: str) -> list[int]:
    """Return the pids of processes whose command line has all these words, as pgrep -f does."""
    pids = []
    for entry in Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
        except OSError:
            continue  # ended meanwhile
        if command and all(word.encode() in command for word in words):
            pids.append(int(entry.name))
    return pids


def children_of(pid: int) -> list[int]:
    """Return the pids of the processes that this one has started and that still run."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in children.split()]
