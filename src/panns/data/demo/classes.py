"""The classes of the demo set, from the most to the least common in training.

Where the parent of a class in AudioSet's ontology is itself in the set, its clips carry both labels
(a civil defense siren is also a siren).
"""

from collections.abc import Callable
from typing import NamedTuple

from panns.data.demo import alarms, bells, horns, instruments, machines, signals, telephone
from panns.data.demo.parameters import Draw
from panns.data.demo.synthesis import Signal


class DemoClass(NamedTuple):
    """One class and how it is made.

    Args:
        mid: its identifier in AudioSet.
        sound: `(draw, seconds) -> (N,)` at 32 kHz.
        min_seconds: the shortest stretch that shows what defines the class, such as a full cadence.
        quieter_db: how far below other sounds it is mixed; for broadband noises, which would mask them.
        parent: mid of the class above it in the ontology that the clip is labelled with as well.
    """

    mid: str
    sound: Callable[[Draw, float], Signal]
    min_seconds: float = 2.0
    quieter_db: float = 0.0
    parent: str | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """The mids that a clip with this sound is labelled with."""
        return (self.mid,) if self.parent is None else (self.mid, self.parent)


SIREN, WHISTLE = "/m/03kmc9", "/m/0l156k"

DEMO_CLASSES = (
    DemoClass("/m/01z47d", telephone.busy_signal, min_seconds=3.0),  # Busy signal
    DemoClass("/m/07qc9xj", machines.clicking, min_seconds=3.0),  # Clicking
    DemoClass("/m/01hnzm", telephone.ringtone, min_seconds=3.0),  # Ringtone
    DemoClass("/m/03w41f", bells.church_bell, min_seconds=3.0),  # Church bell
    DemoClass("/m/01v_m0", signals.sine_wave),  # Sine wave
    DemoClass("/m/03wwcy", bells.doorbell, min_seconds=3.0),  # Doorbell
    DemoClass("/m/0912c9", horns.vehicle_horn),  # Vehicle horn, car horn, honking
    DemoClass("/m/02rhddq", alarms.reversing_beeps, min_seconds=3.0),  # Reversing beeps
    DemoClass("/m/07qjznl", machines.tick_tock, min_seconds=3.0),  # Tick-tock
    DemoClass("/m/026fgl", bells.wind_chime, min_seconds=3.0),  # Wind chime
    DemoClass("/m/07pp8cl", telephone.telephone_bell, min_seconds=3.0),  # Telephone bell ringing
    DemoClass("/m/07rgkc5", signals.static, quieter_db=8.0),  # Static
    DemoClass("/m/04fq5q", horns.foghorn, min_seconds=3.0),  # Foghorn
    DemoClass(WHISTLE, horns.whistle),  # Whistle
    DemoClass("/m/046dlr", alarms.alarm_clock, min_seconds=3.0),  # Alarm clock
    DemoClass("/m/0cfdd", instruments.drum_machine, min_seconds=3.0),  # Drum machine
    DemoClass("/m/07kc_", instruments.theremin, min_seconds=3.0),  # Theremin
    DemoClass("/m/01jg02", machines.heartbeat, min_seconds=4.0),  # Heart sounds, heartbeat
    DemoClass("/m/02c8p", telephone.dtmf),  # Telephone dialing, DTMF
    DemoClass("/m/0chx_", signals.white_noise, quieter_db=10.0),  # White noise
    DemoClass("/m/01y3hg", alarms.smoke_alarm, min_seconds=4.0),  # Smoke detector, smoke alarm
    DemoClass("/m/06xkwv", machines.mains_hum),  # Mains hum
    DemoClass("/m/015jpf", telephone.dial_tone),  # Dial tone
    DemoClass("/m/0cj0r", signals.pink_noise, quieter_db=8.0),  # Pink noise
    DemoClass(SIREN, alarms.siren, min_seconds=4.0),  # Siren
    DemoClass("/m/030rvx", alarms.buzzer),  # Buzzer
    DemoClass("/m/06hck5", horns.steam_whistle, min_seconds=3.0, parent=WHISTLE),  # Steam whistle
    DemoClass("/m/0dgbq", alarms.civil_defense_siren, min_seconds=6.0, parent=SIREN),  # Civil defense siren
    DemoClass("/m/0284vy3", horns.train_horn, min_seconds=3.0),  # Train horn
    DemoClass("/m/03xq_f", instruments.electronic_organ, min_seconds=3.0),  # Electronic organ
    DemoClass("/m/07pb8fc", machines.idling),  # Idling
)
