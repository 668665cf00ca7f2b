using System.Globalization;
using NLDS.BackupAgent.Commands;

namespace NLDS.BackupAgent.WalFetch;

/// <summary>
/// What the server's commands ask of the process that reads ahead, which has everything loaded that a process of its own would first have to load. Files in
/// the spool, because whoever can write there is trusted already:
/// <code>
/// question.TOKEN   which file is wanted, where the server wants it, and the fingerprint of the configuration that says which repository is meant
/// content.TOKEN    the file, whole; there before the answer
/// answer.TOKEN     0 or 1, as wal-fetch says it; 255 when it has to be fetched without the reader, which can say what is wrong
/// </code>
/// </summary>
internal sealed class SpoolQuestions(string directory, SpoolOwner owner)
{
    private const string QuestionPrefix = "question.";
    private const string ContentPrefix = "content.";
    private const string AnswerPrefix = "answer.";

    public SpoolQuestion Ask(string file, string serverPath)
    {
        if (file.Contains('\n', StringComparison.Ordinal) || serverPath.Contains('\n', StringComparison.Ordinal))
        {
            throw new ArgumentException("A name of several lines cannot be asked for.");
        }

        var question = new SpoolQuestion(Guid.NewGuid().ToString("n"), file, serverPath);
        Write(PathOf(QuestionPrefix, question.Token), $"{file}\n{serverPath}\n{owner.Configuration}\n");
        return question;
    }

    /// <summary>0, 1 or 255; null as long as there is no answer.</summary>
    public int? AnswerTo(SpoolQuestion question)
    {
        try
        {
            return int.TryParse(File.ReadAllText(PathOf(AnswerPrefix, question.Token)), CultureInfo.InvariantCulture, out var answer) ? answer : ExitCode.WalUnknown;
        }
        catch (FileNotFoundException)
        {
            return null;
        }
    }

    /// <summary>Whether the reader has seen it.</summary>
    public bool IsTaken(SpoolQuestion question) => !File.Exists(PathOf(QuestionPrefix, question.Token));

    /// <summary>Where the wanted file is, when the answer is 0.</summary>
    public string ContentOf(SpoolQuestion question) => PathOf(ContentPrefix, question.Token);

    /// <summary>Removes the question and whatever was said to it.</summary>
    public void Forget(SpoolQuestion question)
    {
        foreach (var prefix in (ReadOnlySpan<string>)[QuestionPrefix, AnswerPrefix, ContentPrefix])
        {
            File.Delete(PathOf(prefix, question.Token));
        }
    }

    /// <summary>
    /// For the reader: takes the questions that nobody has taken yet, <paramref name="most"/> of them. One that was meant for the reader of another server or of
    /// another repository, which had this folder a moment ago, is answered with 255 at once: what is absent here may be there.
    /// </summary>
    public List<SpoolQuestion> Take(int most)
    {
        var taken = new List<SpoolQuestion>();
        foreach (var path in Directory.EnumerateFiles(directory, QuestionPrefix + "*").Where(IsWhole).Take(most).ToList())
        {
            try
            {
                var lines = File.ReadAllLines(path);
                File.Delete(path);
                var question = new SpoolQuestion(Path.GetFileName(path)[QuestionPrefix.Length..], lines.ElementAtOrDefault(0) ?? "", lines.ElementAtOrDefault(1) ?? "");
                if (lines.ElementAtOrDefault(2) == owner.Configuration && Path.GetDirectoryName(question.ServerPath) == owner.Directory)
                {
                    taken.Add(question);
                }
                else
                {
                    Answer(question, ExitCode.WalUnknown);
                }
            }
            catch (FileNotFoundException)
            {
                // Whoever asked has gone.
            }
        }

        return taken;
    }

    public void Answer(SpoolQuestion question, int answer) => Write(PathOf(AnswerPrefix, question.Token), answer.ToString(CultureInfo.InvariantCulture));

    public static bool IsPartOfOne(string name) =>
        name.StartsWith(QuestionPrefix, StringComparison.Ordinal) || name.StartsWith(ContentPrefix, StringComparison.Ordinal) || name.StartsWith(AnswerPrefix, StringComparison.Ordinal);

    private static bool IsWhole(string path) => !path.EndsWith(Spool.UnfinishedSuffix, StringComparison.Ordinal);

    private string PathOf(string prefix, string token) => Path.Combine(directory, prefix + token);

    private static void Write(string path, string text)
    {
        File.WriteAllText(path + Spool.UnfinishedSuffix, text);
        File.Move(path + Spool.UnfinishedSuffix, path, overwrite: true);
    }
}

/// <param name="Token">Names it, once and for all.</param>
/// <param name="File">The segment or history file that is wanted.</param>
/// <param name="ServerPath">Where the server wants it, by its full path.</param>
internal sealed record SpoolQuestion(string Token, string File, string ServerPath);
