"""What training two players against each other needs: losses, penalties, augmentation."""
