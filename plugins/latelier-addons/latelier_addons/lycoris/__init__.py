"""The LoRA family: changes of weights in the forms of LyCORIS and peft, in files of any layout."""
