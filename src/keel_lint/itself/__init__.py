"""What keel-lint says about itself and its comments: one file a rule."""
