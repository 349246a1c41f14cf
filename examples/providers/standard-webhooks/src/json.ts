// memberOf finds a member of a JSON object as the text that it is. JSON.parse has
// taken the text already, so this looks at strings and brackets only, and it
// does not recurse.

/** The text of an object's member; null if there is none, or if it is nested deeper than that. */
export function memberOf(text: string, name: string, maxDepth: number): string | null {
  let found: string | null = null;
  let depth = 0;
  let deepest = 0;
  let key = "";
  let begin = -1; // of the value, or -1 where a name is expected
  for (let i = 0; i < text.length; i++) {
    switch (text[i]) {
      case '"': {
        const end = endOfString(text, i);
        if (depth === 1 && begin < 0) key = JSON.parse(text.slice(i, end + 1)) as string;
        i = end;
        break;
      }
      case ":":
        if (depth === 1) {
          begin = i + 1;
          deepest = 0;
        }
        break;
      case "{":
      case "[":
        depth++;
        deepest = Math.max(deepest, depth);
        break;
      case "}":
      case "]":
        depth--;
        if (depth > 0) break;
      // falls through: the object's own end is the end of its last member
      case ",":
        if (depth > 1) break;
        // The last one counts, as for JSON.parse.
        if (begin >= 0 && key === name) found = deepest > maxDepth ? null : text.slice(begin, i).trim();
        begin = -1;
        break;
    }
  }
  return found;
}

function endOfString(text: string, begin: number): number {
  for (let i = begin + 1; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === '"') return i;
  }
  return text.length;
}
