"""dvc.yaml and .dvc files to stages; the graph, targets and plans over them. Pure."""
