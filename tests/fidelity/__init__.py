"""The model against real kernels, frame for frame: random networks, random frames, exact results.

area      what an area (bridge, …) has to offer; ``areas`` holds one module for each
run       the loop: generate, ask the kernel, ask the model, compare
mutants   a wrong model for each rule: the comparison has to notice every one
shrink    from a case that disagrees to the smallest that still does
source    a case as Python, to be kept as a test
record    runs of a release, written to docs/fidelity.json
"""
