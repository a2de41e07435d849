"""What several rooms of tests share: isolated places, projects, tools and snapshots."""
