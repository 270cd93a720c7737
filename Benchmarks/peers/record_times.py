"""Times of records against Python's datetime: the same moments accepted, the same texts refused.

  python3 record_times.py PATH_OF_ENGRAM [COUNT] [SEED]

Makes COUNT texts (100,000): moments in the forms of Python, JavaScript (Date.toISOString, Date.toJSON) and SQL databases, and
the same with a digit, sign or part changed. Each is read by `engram data time` and by datetime.fromisoformat; a text without
a zone is UTC. Compared are acceptance and the moment, to a microsecond, for Python cuts longer fractions. Python 3.11 or
newer. Exit status 1 on a difference that is not one of these, by design:

  number      quoted numbers are seconds since 1970 (or milli-, micro-, nanoseconds); Python reads no numbers
  month       2024-05 is the month's first day; Python refuses it
  24:00       24:00:00 is the end of the day (Python takes it from 3.14 on)
  leap        23:59:60 UTC on June 30 and December 31; Python knows no leap seconds
  separator   only T, t and one blank stand between date and time; Python takes any character
  zone        z, UTC, GMT, a blank before an offset and the sign U+2212 are taken; Python refuses them
  malformed   Python's reader lets pass what ISO 8601 does not know: offsets of 60 to 99 minutes, a lone digit, point or colon
              after the time; whatever does not match the grammar below counts here
"""
import json
import random
import re
import subprocess
import sys
from datetime import datetime, timedelta, timezone


DATE = r"(\d{4}-\d\d-\d\d|\d{8}|\d{4}-?W\d\d(-?\d)?)"
TIME = r"(\d\d(:\d\d(:\d\d([.,]\d+)?)?)?|\d\d(\d\d(\d\d([.,]\d+)?)?)?)"
ZONE = r"(Z|[-+]\d\d(:[0-5]\d(:[0-5]\d([.,]\d+)?)?|[0-5]\d([0-5]\d([.,]\d+)?)?)?)?"
GRAMMAR = re.compile(f"{DATE}([Tt ]{TIME}{ZONE})?")
NUMBER = re.compile(r"[-+]?\d+(\.\d*)?([eE][-+]?\d+)?")


def close(a, b):
    return abs(a - b) <= 2e-6 * max(1, abs(a) / 1e9, abs(b) / 1e9)


def moment(rng):
    year = rng.choice([rng.randint(1, 9999), rng.randint(1900, 2100), 1970, 2000, 2024])
    month, day = rng.randint(1, 12), rng.randint(1, 31 if rng.random() < 0.1 else 28)
    return year, month, day, rng.randint(0, 23), rng.randint(0, 59), rng.randint(0, 59)


def written(rng):
    y, mo, d, h, mi, s = moment(rng)
    date = rng.choice([f"{y:04}-{mo:02}-{d:02}"] * 6 + [f"{y:04}{mo:02}{d:02}", f"{y:04}-{mo:02}", f"{y:04}-W{rng.randint(0, 54):02}-{rng.randint(0, 8)}",
                       f"{y:04}W{rng.randint(1, 53):02}{rng.randint(1, 7)}", f"{y:04}-W{rng.randint(1, 53):02}"])
    if rng.random() < 0.1:
        return date
    if rng.random() < 0.02:
        h, mi, s = rng.choice([(24, 0, 0), (24, 0, 1), (23, 59, 60), (12, 30, 60), (25, 0, 0)])
    time = rng.choice([f"{h:02}:{mi:02}:{s:02}"] * 6 + [f"{h:02}{mi:02}{s:02}", f"{h:02}:{mi:02}", f"{h:02}"])
    if len(time) in (6, 8) and rng.random() < 0.5:
        digits = rng.choice([1, 2, 3, 3, 6, 6, 7, 9, rng.randint(1, 30)])
        time += rng.choice("..,") + "".join(rng.choice("0123456789") for _ in range(digits))
    oh, om = rng.randint(0, 24 if rng.random() < 0.05 else 14), rng.choice([0, 0, 30, 45, rng.randint(0, 60)])
    sign = rng.choice("+-")
    zone = rng.choice(["", "", "Z", "Z", "z", f"{sign}{oh:02}", f"{sign}{oh:02}{om:02}", f"{sign}{oh:02}:{om:02}", f"{sign}{oh:02}:{om:02}",
                       f" {sign}{oh:02}{om:02}", " UTC", f"\u2212{oh:02}:{om:02}", f"{sign}{oh:02}:{om:02}:{rng.randint(0, 59):02}"])
    return date + rng.choice("TTTT  t") + time + zone


def changed(rng, text):
    for _ in range(rng.randint(1, 2)):
        at = rng.randrange(len(text) + 1)
        kind = rng.random()
        if kind < 0.5 and at < len(text):
            text = text[:at] + rng.choice("0123456789-:+TZ. W/") + text[at + 1:]
        elif kind < 0.75:
            text = text[:at] + rng.choice("0123456789-:+TZ. ,x") + text[at:]
        else:
            text = text[:at] + text[at + 1:]
    return text


def python(text):
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        return None
    if value.tzinfo is None:
        value = value.replace(tzinfo=timezone.utc)
    return (value - datetime(1970, 1, 1, tzinfo=timezone.utc)) / timedelta(seconds=1)


def by_design(text, theirs, ours):
    """The reason why the two may differ, or None."""
    if ours is not None and NUMBER.fullmatch(text):
        return "number"
    if theirs is None and ours is not None:
        if re.fullmatch(r"\d{4}-\d{2}", text):
            return "month"
        plain = re.sub(r"\u2212(?=\d\d)", "-", re.sub(r"( UTC| GMT|UTC|GMT|z)$", "Z", text))
        plain = re.sub(r" (?=[-+]\d\d(:?\d\d){0,2}$)", "", plain)
        plain = re.sub(r" Z$", "Z", plain)
        if plain != text and python(plain) is not None and close(python(plain), ours):
            return "zone"
        if re.search(r"[Tt ]24(:?00){0,2}(?!\d)", plain):
            return "24:00"
        if re.search(r"[Tt ]\d\d:?\d\d:?60", plain):
            return "leap"
    if theirs is not None and ours is None:
        separated = re.match(r"(\d{4}-?W\d\d(-?\d)?|\d{4}-\d\d-\d\d|\d{8})(.)", text, re.S)
        if separated and separated.group(3) not in "Tt ":
            return "separator"
        if re.match(r"\d{4}-?W\d\d(-?\d)?", text) and not re.match(r"\d{4}-?W\d\d(-?\d)?[Tt ]\d\d", text):
            return "separator"
        if not GRAMMAR.fullmatch(text):
            return "malformed"
    return None


def main():
    engram, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 100_000
    rng = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    texts = []
    while len(texts) < count:
        text = written(rng)
        texts.append(changed(rng, text) if text and rng.random() < 0.4 else text)
    lines = "\n".join(json.dumps(text) for text in texts) + "\n"
    run = subprocess.run([engram, "data", "time"], input=lines.encode(), capture_output=True, check=True)
    ours = [json.loads(line) for line in run.stdout.decode().splitlines()]
    assert len(ours) == len(texts), (len(ours), len(texts))
    both, neither, designed, wrong = 0, 0, {}, []
    for text, answer in zip(texts, ours):
        theirs, mine = python(text), answer.get("seconds")
        if theirs is None and mine is None:
            neither += 1
        elif theirs is not None and mine is not None and close(theirs, mine):
            both += 1
        elif reason := by_design(text, theirs, mine):
            designed[reason] = designed.get(reason, 0) + 1
        else:
            wrong.append((text, theirs, answer))
    print(f"{count} texts: {both} equal, {neither} refused by both, by design {designed}, {len(wrong)} differences")
    for entry in wrong[:20]:
        print("  ", entry)
    sys.exit(1 if wrong else 0)


main()
