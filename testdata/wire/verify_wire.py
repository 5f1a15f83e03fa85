#!/usr/bin/python3
"""Checks the capture of a wire that MKA and MACsec secure, frame by frame, from the standards alone.

    verify_wire.py CAPTURE.pcapng CAKFILE.toml

The capture holds every frame on the wire, from before the first MKPDU on, those of one direction on one interface. The
CAK file may have several keys. Checked is
  - of the wire: nothing is on it but MKPDUs and MACsec frames, and one station sends in each direction;
  - of every MKPDU: its ICV, its form to the last reserved bit, that its Message Number rises, that it lists peers and
    keys that exist (802.1X-2020 9.4, 11.11);
  - of every distributed SAK: that it unwraps, has the length of its suite and is one and the same for its KI; SSCIs and
    salt come from it and from the peer list beside it (802.1X-2020 9.8; 802.1AE-2018 10.7.8, 10.7.13);
  - of every MACsec frame: its tag, and that it verifies and decrypts with such a SAK; that no nonce is used twice with
    a key, and that packet numbers rise by 1 from 1 (802.1AE-2018 9, 10.5, 14).

Exit status 0 with a JSON object of counts on one line, or 1 with the first offence, or 2 for a wrong command line.
Needs Python 3.11 and python3-cryptography, which lends AES-CMAC, AES key unwrap and AES-GCM.
"""

import json
import struct
import sys
import tomllib
from collections import Counter, defaultdict

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap

EAPOL, MACSEC = 0x888E, 0x88E5
PAE_GROUP = bytes.fromhex("0180c2000003")
ALGORITHM_AGILITY = bytes.fromhex("0080c201")

PARAMETER_SETS = LIVE, POTENTIAL, SAK_USE, DISTRIBUTED_SAK, ANNOUNCEMENT, XPN = 1, 2, 3, 4, 7, 8
MACSEC_CIPHER_SUITES = 112  # TLV

# Identifier of a cipher suite: octets of its SAK, extended packet numbers?
SUITES = {
    bytes.fromhex("0080c20001000001"): (16, False),
    bytes.fromhex("0080c20001000002"): (32, False),
    bytes.fromhex("0080c20001000003"): (16, True),
    bytes.fromhex("0080c20001000004"): (32, True),
}
GCM_AES_128 = bytes.fromhex("0080c20001000001")
CLEAR_OCTETS = {1: 0, 2: 30, 3: 50}  # confidentiality offset by its code; 0 is integrity only


class Offence(Exception):
    """What is wrong with a frame."""


def need(truth, what):
    if not truth:
        raise Offence(what)


class Reader:
    """Takes octets off the front."""

    def __init__(self, octets):
        self.rest = octets

    def take(self, n, what):
        need(len(self.rest) >= n, f"{what} goes past the end")
        taken, self.rest = self.rest[:n], self.rest[n:]
        return taken

    def number(self, n, what):
        return int.from_bytes(self.take(n, what), "big")


def pcapng(octets):
    """Gives (interface, frame) for each packet of a capture of Ethernet."""
    section, interface, packet = 0x0A0D0D0A, 1, 6
    links, order, at = 0, "<", 0
    while at < len(octets):
        kind = struct.unpack_from(order + "I", octets, at)[0]
        if kind == section:
            order = "<" if octets[at + 8 : at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
            links = 0
        (size,) = struct.unpack_from(order + "I", octets, at + 4)
        if size < 12 or size % 4 or at + size > len(octets):
            sys.exit(f"not a pcapng file: block of {size} octets at {at}")
        body = octets[at + 8 : at + size - 4]
        if kind == interface:
            (link,) = struct.unpack_from(order + "H", body)
            if link != 1:
                sys.exit(f"interface {links} is no Ethernet")
            links += 1
        elif kind == packet:
            where, _, _, captured, length = struct.unpack_from(order + "5I", body)
            if captured != length or where >= links:
                sys.exit(f"packet at {at} is cut short, or of no interface")
            yield where, body[20 : 20 + captured]
        at += size


def cmac(key, octets):
    mac = CMAC(AES(key))
    mac.update(octets)
    return mac


def kdf(key, label, context, octets):
    """KDF of 802.1X-2020 6.2.1."""
    output = b""
    for i in range(1, octets // 16 + 1):
        text = bytes([i]) + label + b"\0" + context + struct.pack(">H", octets * 8)
        output += cmac(key, text).finalize()
    return output


class Key:
    """A CAK with the keys that come from it (9.3.3)."""

    def __init__(self, entry):
        self.ckn = bytes.fromhex(entry["ckn"])
        cak = bytes.fromhex(entry["cak"])
        context = self.ckn[:16].ljust(16, b"\0")
        self.ick = kdf(cak, b"IEEE8021 ICK", context, len(cak))
        self.kek = kdf(cak, b"IEEE8021 KEK", context, len(cak))


class SAK:
    """A SAK as its key server distributes it (9.8, Figure 11-11)."""

    def __init__(self, kek, server, header, body):
        self.an, self.offset = header >> 6, header >> 4 & 3
        need(header & 0x0F == 0, "Distributed SAK: reserved bits are set")
        reader = Reader(body)
        self.kn = reader.take(4, "Key Number")
        self.ki = server + self.kn
        self.suite = GCM_AES_128 if len(body) == 28 else reader.take(8, "cipher suite")
        need(self.suite in SUITES, f"Distributed SAK: unknown cipher suite {self.suite.hex()}")
        need(len(body) == 28 or self.suite != GCM_AES_128, "Distributed SAK: GCM-AES-128 is not sent in 28 octets")
        size, self.xpn = SUITES[self.suite]
        need(len(reader.rest) == size + 8, f"Distributed SAK: {len(reader.rest)} octets wrapped for a SAK of {size}")
        need(not self.xpn or self.offset < 2, "Distributed SAK: an XPN suite has no offset")
        try:
            self.key = aes_key_unwrap(kek, reader.rest)
        except InvalidUnwrap:
            raise Offence("Distributed SAK: does not unwrap") from None
        kn = self.kn
        swapped = bytes(a ^ b for a, b in zip(server, kn[2:] + kn[:2]))
        self.salt = swapped + server[4:]
        self.sscis = {}

    def same(self, other):
        return (self.key, self.an, self.offset, self.suite, self.sscis) == (
            other.key, other.an, other.offset, other.suite, other.sscis)

    def assign(self, server_sci, peer_scis, octet):
        """Gives each member its SSCI: 1 for the greatest SCI. octet is what the Live list says of the key server's."""
        self.sscis = {sci: i for i, sci in enumerate(sorted([server_sci, *peer_scis], reverse=True), 1)}
        if octet == 0:
            return
        own = self.sscis[server_sci]
        need(octet == own, f"Live list: SSCI {octet} of the key server, by its SCI {own}")
        order = [self.sscis[sci] for sci in peer_scis]
        need(order == sorted(order), f"Live list: SSCIs in the order {order}")

    def nonce(self, sci, pn):
        """IV of 802.1AE-2018 14.5, 14.7."""
        if not self.xpn:
            return sci + struct.pack(">I", pn)
        text = struct.pack(">IQ", self.sscis[sci], pn)
        return bytes(a ^ b for a, b in zip(text, self.salt))


class Wire:
    """What is known of the wire, one frame after the other."""

    def __init__(self, keys):
        self.keys = {key.ckn: key for key in keys}
        self.sender = {}  # interface: source address
        self.scis = {}  # MI: SCI
        self.mns = {}  # MI: last Message Number
        self.saks = {}  # KI: SAK
        self.by_an = {}  # AN: the SAK that was distributed last with it
        self.early = defaultdict(list)  # AN: frames before there is a SAK for it
        self.nonces = defaultdict(set)  # SAK: those that were used
        self.next_pn = defaultdict(lambda: 1)  # (KI, SCI): packet number
        self.count = Counter()
        self.user = defaultdict(Counter)  # SCI: frames by EtherType
        self.by_sak = defaultdict(Counter)  # KI: frames by SCI

    def frame(self, interface, frame):
        need(len(frame) >= 14, "shorter than an Ethernet header")
        source, ethertype = frame[6:12], int.from_bytes(frame[12:14], "big")
        need(ethertype in (EAPOL, MACSEC), f"EtherType {ethertype:#06x} on the wire")
        only = self.sender.setdefault(interface, source)
        need(only == source, f"from {source.hex()} in the direction of {only.hex()}")
        self.count["frames"] += 1
        (self.eapol if ethertype == EAPOL else self.macsec)(frame)

    # MKA

    def eapol(self, frame):
        """Figure 11-7; 11.11.2 in its order."""
        need(frame[:6] == PAE_GROUP, f"EAPOL to {frame[:6].hex()}")
        reader = Reader(frame[14:])
        need(reader.take(2, "EAPOL header") == b"\x03\x05", "EAPOL of another version or type than MKA's")
        length = reader.number(2, "EAPOL header")
        need(length == len(reader.rest), f"EAPOL: length {length}, body of {len(reader.rest)}")
        need(length % 4 == 0 and length >= 32, f"MKPDU of {length} octets")
        self.mkpdu(frame, Reader(reader.rest[:-16]), reader.rest[-16:])
        self.count["mkpdus"] += 1

    def mkpdu(self, frame, reader, icv):
        version, _, header = reader.take(1, "Basic")[0], reader.take(1, "Basic"), reader.number(2, "Basic")
        need(1 <= version <= 3, f"MKA version {version}")
        body = Reader(reader.take(header & 0xFFF, "Basic"))
        padding(reader, header & 0xFFF)
        sci, mi, mn = body.take(8, "SCI"), body.take(12, "MI"), body.number(4, "MN")
        need(body.take(4, "Algorithm Agility") == ALGORITHM_AGILITY, "unknown Algorithm Agility")
        need(body.rest in self.keys, f"CKN {body.rest.hex()} is not in the CAK file")
        key = self.keys[body.rest]
        try:
            cmac(key.ick, frame[:-16]).verify(icv)
        except InvalidSignature:
            raise Offence("ICV of the MKPDU does not verify") from None
        need(sci[:6] == frame[6:12], f"SCI {sci.hex()} sent from {frame[6:12].hex()}")
        need(self.scis.setdefault(mi, sci) == sci, f"MI {mi.hex()} with two SCIs")
        need(mn == self.mns.get(mi, 0) + 1, f"MN {mn} after {self.mns.get(mi, 0)}")
        self.mns[mi] = mn
        self.parameter_sets(key, mi, bool(header & 0x8000), self.split(reader))

    def split(self, reader):
        """Gives the parameter sets by type: (octet 2, flags of octet 3, body)."""
        sets, last = {}, 0
        while reader.rest:
            kind, octet, header = reader.number(1, "set"), reader.number(1, "set"), reader.number(2, "set")
            need(kind in PARAMETER_SETS, f"unknown parameter set {kind}")
            need(kind > last, f"parameter set {kind} after {last}")
            sets[kind], last = (octet, header >> 12, reader.take(header & 0xFFF, f"parameter set {kind}")), kind
            padding(reader, header & 0xFFF)
        return sets

    def parameter_sets(self, key, mi, key_server, sets):
        peers = {kind: self.peers(mi, sets.get(kind)) for kind in (LIVE, POTENTIAL)}
        need(not set(peers[LIVE]) & set(peers[POTENTIAL]), "a peer is in both lists")
        need(sets.get(POTENTIAL, (0,))[0] == 0, "Potential list: octet 2 is not 0")
        if DISTRIBUTED_SAK in sets:
            need(key_server, "Distributed SAK of a participant that is no key server")
            need(peers[LIVE], "Distributed SAK without a Live list")
            self.distributed(key, mi, sets[DISTRIBUTED_SAK], sets[LIVE][0], peers[LIVE])
        else:
            need(sets.get(LIVE, (0,))[0] == 0, "Live list: SSCI without a Distributed SAK")
        if SAK_USE in sets:
            self.sak_use(*sets[SAK_USE])
        if ANNOUNCEMENT in sets:
            self.announcement(*sets[ANNOUNCEMENT])
        if XPN in sets:
            octet, flags, body = sets[XPN]
            need((octet, flags, len(body)) == (0, 0, 8), "XPN: suspended, reserved bits, or of another length than 8")

    def peers(self, own, present):
        """Figure 11-9. Gives MIs."""
        if present is None:
            return []
        _, flags, body = present
        need(flags == 0, "peer list: reserved bits are set")
        need(body and len(body) % 16 == 0, f"peer list of {len(body)} octets")
        listed = [body[i : i + 12] for i in range(0, len(body), 16)]
        for i, mi in enumerate(listed):
            mn = int.from_bytes(body[16 * i + 12 : 16 * i + 16], "big")
            need(mi != own, "peer list: has its sender")
            need(mi in self.mns, f"peer list: MI {mi.hex()} has not been on the wire")
            need(1 <= mn <= self.mns[mi], f"peer list: MN {mn}, the last on the wire is {self.mns[mi]}")
        return listed

    def distributed(self, key, server, present, ssci, live):
        octet, flags, body = present
        need(flags == 0, "Distributed SAK: reserved bits are set")
        sak = SAK(key.kek, server, octet, body)
        peer_scis = [self.scis[mi] for mi in live]
        need(ssci == 0 or sak.xpn, "Live list: SSCI beside a SAK that has none")
        sak.assign(self.scis[server], peer_scis, ssci)
        known = self.saks.setdefault(sak.ki, sak)
        need(known.same(sak), f"KI {sak.ki.hex()} with two SAKs")
        if known is sak:
            need(all(k.key != sak.key for k in self.saks.values() if k is not sak), "a SAK with two KIs")
            self.by_an[sak.an] = sak
            for frame in self.early.pop(sak.an, []):
                self.macsec(frame)
        self.count["distributions"] += 1

    def sak_use(self, bits, flags, body):
        """Figure 11-10."""
        need(flags & 0b0010 == 0, "SAK Use: reserved bit is set")
        need(len(body) == 40, f"SAK Use of {len(body)} octets")
        for name, use, half in (("Latest", bits >> 4, body[:20]), ("Old", bits & 0x0F, body[20:])):
            ki, lpn = half[:16], int.from_bytes(half[16:], "big")
            if not any(ki):
                need(use == 0 and lpn <= 1, f"SAK Use: {name} Key is used and has no KI")
                continue
            need(ki in self.saks, f"SAK Use: {name} Key {ki.hex()} was never distributed")
            need(use >> 2 == self.saks[ki].an, f"SAK Use: {name} Key has AN {use >> 2}")
            need(lpn >= 1 or self.saks[ki].xpn, f"SAK Use: {name} Key has Lowest Acceptable PN 0")

    def announcement(self, octet, flags, body):
        """Figure 11-15 with one TLV of Figure 11-22."""
        need(octet == 0 and flags == 0, "Announcement: reserved bits are set")
        reader = Reader(body)
        header = reader.number(2, "TLV")
        need(header >> 9 == MACSEC_CIPHER_SUITES, f"Announcement: TLV {header >> 9}")
        value = Reader(reader.take(header & 0x1FF, "TLV"))
        need(not reader.rest, "Announcement: octets after the TLV")
        need(value.rest, "Announcement: no cipher suite")
        while value.rest:
            capability, suite = value.number(2, "capability"), value.take(8, "cipher suite")
            need(1 <= capability <= 3, f"Announcement: capability {capability}")
            need(suite in SUITES, f"Announcement: unknown cipher suite {suite.hex()}")

    # MACsec

    def macsec(self, frame):
        """802.1AE-2018 9.3 to 9.9, 10.6."""
        reader = Reader(frame[14:])
        tci, short, low = reader.number(1, "SecTAG"), reader.number(1, "SecTAG"), reader.number(4, "SecTAG")
        need(tci & 0xF0 == 0x20, f"SecTAG: TCI {tci:#04x} is not of version 0 with an SCI")
        sci = reader.take(8, "SecTAG")
        need(sci[:6] == frame[6:12], f"SCI {sci.hex()} sent from {frame[6:12].hex()}")
        if tci & 3 not in self.by_an:  # CP lets a key server begin before others can receive (802.1X-2020 Figure 12-2)
            self.early[tci & 3].append(frame)
            self.count["early"] += 1
            return
        sak = self.by_an[tci & 3]
        need(tci >> 2 & 3 == (3 if sak.offset else 0), f"SecTAG: E and C do not suit offset code {sak.offset}")
        need(sci in sak.sscis, f"SCI {sci.hex()} is no member of the CA")
        data, icv = reader.rest[:-16], reader.rest[-16:]
        need(len(icv) == 16 and len(data) >= 2, "too short for an ICV and an EtherType")
        need(short == (len(data) if len(data) < 48 else 0), f"SecTAG: SL {short} for {len(data)} octets")
        user = self.verified(sak, sci, low, frame[:28], data, icv)
        self.user[sci.hex()][f"{int.from_bytes(user[:2], 'big'):#06x}"] += 1
        self.by_sak[sak.ki.hex()][sci.hex()] += 1
        self.count["macsec"] += 1

    def verified(self, sak, sci, low, header, data, icv):
        """Gives the user data of a frame that is what it has to be."""
        due = self.next_pn[sak.ki, sci]
        pn = due & ~0xFFFFFFFF | low
        need(sak.xpn or pn == low, "a packet number after the last")
        nonce = sak.nonce(sci, pn)
        need(nonce not in self.nonces[sak.key], f"PN {pn} from {sci.hex()} is used twice with one SAK")
        need(pn == due, f"PN {pn} from {sci.hex()} where {due} is due")
        clear = CLEAR_OCTETS.get(sak.offset, len(data))
        try:
            secret = AESGCM(sak.key).decrypt(nonce, data[clear:] + icv, header + data[:clear])
        except InvalidTag:
            raise Offence(f"MACsec frame with PN {pn} from {sci.hex()} does not verify") from None
        self.nonces[sak.key].add(nonce)
        self.next_pn[sak.ki, sci] += 1
        return data[:clear] + secret

    def summary(self):
        need(not self.early, f"AN {min(self.early, default=0)}: no SAK was distributed")
        counts = {name: self.count[name] for name in ("frames", "mkpdus", "distributions", "macsec", "early")}
        return counts | {"saks": self.by_sak, "user": self.user}


def padding(reader, length):
    need(not any(reader.take(-length % 4, "padding")), "padding is not zero")


def main():
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    with open(sys.argv[1], "rb") as file:
        capture = file.read()
    with open(sys.argv[2], "rb") as file:
        wire = Wire([Key(entry) for entry in tomllib.load(file)["key"]])
    number, summary = 0, {}
    try:
        for number, (interface, frame) in enumerate(pcapng(capture), 1):
            wire.frame(interface, frame)
        summary = wire.summary()
    except Offence as offence:
        sys.exit(f"{sys.argv[1]}: frame {number}: {offence}")
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
