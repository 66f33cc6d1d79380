"""What users test their own layers and stores with: the same tools that test ours."""
