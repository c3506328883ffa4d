"""Draws one gray face: a solid head with a relief, its skin painted flat, wrapped, lit and photographed.

`person`: who is drawn, in which moment. `features`: where eyes, brows and lips lie. `head`: the solid. `camera`: how a
pixel sees it. `skin`: what is painted on it. `extras`: hair, glasses and all else around the face. `picture`: all
together.

Head coordinates are mm from the middle of the head at eye height: x to the person's left (right in a frontal picture),
y down, z towards the camera.
"""
