"""Does anything that must stay reach the outside, whatever breaks meanwhile?"""
