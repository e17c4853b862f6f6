"""Unpack an archive into a folder: whole, inside that folder, and no larger than it says.

Why: a zip of 3 MB can hold 3 GB of zeros, and names in it can point anywhere. Sizes are checked before anything is written. A member whose name
leads out of the folder is left out, as Ultralytics does it.
"""

import errno
import lzma
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath, PureWindowsPath

MOST = 20 * 2**30  # bytes, of all files together
DENSEST = 200  # bytes unpacked for each packed one, beyond the first 64 MiB; images and texts stay below 20
LEFT_OUT = (".DS_Store", "__MACOSX")  # what macOS adds, and Ultralytics leaves out
DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    RuntimeError,
    ValueError,
    OverflowError,
)
# What the system says where two members want one place, or a name is none: the archive's fault, not the folder's.
BY_ITS_NAMES = {errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.EINVAL}


def is_archive(file: Path) -> bool:
    return zipfile.is_zipfile(file) or tarfile.is_tarfile(file)


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack a zip or tar archive below `folder`; returns the folder that Ultralytics would make of it.

    Raises:
        ValueError: the archive is damaged, encrypted or too large; the message names the archive.
        OSError: `folder` cannot be written.
    """
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as content:
                members = [m for m in content.infolist() if is_inside(m.filename) and not m.is_dir()]
                check_size(archive, sum(m.file_size for m in members))
                for member in members:
                    with content.open(member) as source:
                        write(source, folder / member.filename, member.file_size)
                names = [m.filename for m in members]
        elif tarfile.is_tarfile(archive):
            with tarfile.open(archive) as content:
                members, total = [], 0
                for member in content:  # this unpacks what is packed, so the size is checked on the way
                    check_size(archive, total := total + member.size)
                    if member.isfile() and is_inside(member.name):  # neither links nor devices
                        members.append(member)
                for member in members:
                    with content.extractfile(member) as source:
                        write(source, folder / member.name, member.size)
                names = [m.name for m in members]
        else:
            raise ValueError("it is neither zip nor tar")
    except (*DAMAGED, OSError) as error:
        if isinstance(error, OSError) and error.errno and error.errno not in BY_ITS_NAMES:  # the disk's fault
            raise
        raise ValueError(f"{archive} is not a whole zip archive ({error}). Fetch it again") from error
    tops = {Path(name).parts[0] for name in names}
    only = folder / tops.pop() if len(tops) == 1 else folder
    return only if only.is_dir() else folder


def is_inside(name: str) -> bool:
    """Whether a member's name is a path below the folder, and not one of those that macOS adds."""
    plain = PurePosixPath(name.replace("\\", "/"))
    leads_out = ".." in plain.parts or plain.is_absolute() or PureWindowsPath(name).drive
    return bool(plain.parts) and not leads_out and "\0" not in name and not any(part in name for part in LEFT_OUT)


def check_size(archive: Path, total: int) -> None:
    """Refuse by what the table of contents says, in bytes; `write` holds the archive to it."""
    packed = archive.stat().st_size
    if total > MOST or total > max(64 * 2**20, DENSEST * packed):
        raise ValueError(f"{packed / 2**20:.1f} MiB that would unpack to {total / 2**20:,.0f} MiB")


def write(source, target: Path, size: int) -> None:
    """Copy one member, and stop where it holds more than its entry says."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as out:
        left = size
        while block := source.read(2**20):
            left -= len(block)
            if left < 0:
                raise ValueError(f"{target.name} is larger than the archive says")
            out.write(block)
    if left:
        raise ValueError(f"{target.name} is shorter than the archive says")
