using System.CommandLine;

namespace NLDS.BackupAgent.Commands;

/// <summary><c>completion SHELL</c>: a script for the shell, which asks this program what can be written next.</summary>
internal static class CompletionCommand
{
    private const string Ask = "complete";

    private static readonly IReadOnlyDictionary<string, string> Scripts = new Dictionary<string, string>
    {
        ["bash"] = """
            _nlds_backup() {
                mapfile -t COMPREPLY < <("${COMP_WORDS[0]}" complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
            }
            complete -o default -F _nlds_backup nlds-backup
            """,
        ["zsh"] = """
            #compdef nlds-backup
            _nlds_backup() {
                local -a found
                found=("${(@f)$("${words[1]}" complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
                if [[ -n "$found" ]]; then compadd -- "${found[@]}"; else _files; fi
            }
            compdef _nlds_backup nlds-backup
            """,
        ["fish"] = """
            complete -c nlds-backup -a '(set -l words (commandline -opc) (commandline -ct); nlds-backup complete -- $words[2..-1] 2>/dev/null)'
            """,
    };

    public static Command Create(CommandContext context)
    {
        var shell = new Argument<string>("SHELL") { Description = "bash, zsh or fish" };
        shell.AcceptOnlyFromAmong([.. Scripts.Keys]);
        var command = new Command("completion", "Print a script with which the shell completes what can be written") { shell };
        command.SetAction(parse => context.Around.Out.WriteLine(Scripts[parse.GetRequiredValue(shell)]));
        return command;
    }

    /// <summary>What the scripts call: prints all words that can stand in the last one's place.</summary>
    public static Command CreateAnswer(CommandContext context, RootCommand root)
    {
        var words = new Argument<string[]>("WORDS") { Arity = ArgumentArity.ZeroOrMore };
        var command = new Command(Ask, "Print what can be written next") { words };
        command.Hidden = true;
        command.SetAction(parse =>
        {
            foreach (var word in Of(root, parse.GetValue(words) ?? []))
            {
                context.Around.Out.WriteLine(word);
            }
        });
        return command;
    }

    internal static IEnumerable<string> Of(RootCommand root, IReadOnlyList<string> words)
    {
        var last = words.Count > 0 ? words[^1] : "";
        var line = string.Concat(words.SkipLast(1).Select(word => Quoted(word) + " ")) + last;
        return root.Parse(line).GetCompletions(line.Length)
            .Select(completion => completion.Label)
            .Where(label => label.StartsWith(last, StringComparison.Ordinal) && !label.StartsWith('/'))
            .Distinct()
            .Order(StringComparer.Ordinal);
    }

    private static string Quoted(string word) => word.Contains(' ', StringComparison.Ordinal) ? $"\"{word}\"" : word;
}
