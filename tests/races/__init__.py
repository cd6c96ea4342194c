"""Commands that each are right alone, sent at the same moment: what may never be, however they meet."""
