"""Draws gray faces: solid heads with a relief and a painted skin, lit and photographed.

`person`: random people and moments. `features`: positions of eyes, brows and lips. `head`: the solid. `camera`: its
projection. `skin`: its texture. `extras`: hair, glasses and other objects. `picture`: the whole picture.

Head coordinates are mm from the center of the head at eye height: x to the person's left (right in a frontal picture),
y down, z towards the camera.
"""
