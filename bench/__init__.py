"""The benchmark: kasmd beside its peers, in one run, over the same wire.

`stacks` starts them, `painters` draw on their desktops, `link` is what is between them
and `client`, the viewer that measures.  `workloads`, `shown`, `desk`, `links` and `owner`
say what is measured, `targets` what is asked; `report` judges the medians, `plot` draws.
"""
