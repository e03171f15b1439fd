# SPDX-License-Identifier: Apache-2.0
# bash completion for volcli, as printed by `volcli completion bash`. The candidates come from the program.
_volcli() {
  # Not COMP_WORDS: bash also splits that at ':' and '=', which stand inside our words.
  local line=${COMP_LINE:0:COMP_POINT} words
  read -ra words <<<"$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  mapfile -t COMPREPLY < <("${words[0]}" __complete "${words[@]:1}" 2>/dev/null)
  if [[ ${COMPREPLY[0]-} == :files ]]; then
    COMPREPLY=()
    compopt -o default
  elif [[ ${COMPREPLY[0]-} == *[/=] ]]; then
    compopt -o nospace
  fi
}
complete -F _volcli volcli
