"""Previews of pictures of few bytes, beside BlurHash, ThumbHash and tiny WebP; may import everything."""
