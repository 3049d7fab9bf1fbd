"""The lab: what was recorded, rebuilt where nothing can be harmed, played and compared.

``plan`` (pure) turns a network into steps and scenes, a runner builds and plays them and tells what
passed which device, ``compare`` (pure) holds that against the model.
"""
