"""From dvc.yaml and .dvc files to stages: schema, templating, groups, graph, targets and plan."""
