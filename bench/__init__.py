"""The benchmark: kasmd beside its peers, in one run, over the same wire.

`stacks` starts them, `painters` draw on their desktops, `client` is the viewer
that measures, `workloads` say what is measured, `report` judges the medians.
"""
