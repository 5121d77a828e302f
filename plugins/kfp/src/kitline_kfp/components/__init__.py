"""The components, one module each: the function that KFP embeds, and the factory around it.

KFP takes the text of the function alone and runs it behind `from kfp.dsl import *` and `from typing
import *`. So these modules have no future import, annotations are bare names, defaults are
literals, and each body imports what it needs. None of them may be imported inside a step.
"""
