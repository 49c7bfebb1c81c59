"""The demo set: a small AudioSet of machine-made sounds that needs no download.

Its classes are AudioSet classes whose real source makes tones, beats or noise, so synthesis gives them honest labels.
Sounds of one kind stand in `telephone`, `alarms`, `horns`, `bells`, `machines`, `signals` and `instruments`;
`classes` lists them, `plan` deals them out, `mixing` makes a clip, `generate` writes the set.
"""
