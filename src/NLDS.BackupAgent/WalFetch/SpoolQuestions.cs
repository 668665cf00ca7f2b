using System.Globalization;

namespace NLDS.BackupAgent.WalFetch;

/// <summary>
/// What the server's commands ask of the process that reads ahead, which has everything loaded that a process of its own would first have to load. Files in
/// the spool, because whoever can write there is trusted already:
/// <code>
/// question.TOKEN   which file is wanted, and where the server wants it
/// content.TOKEN    the file, whole; there before the answer
/// answer.TOKEN     0 or 1, as wal-fetch says it; 255 when it has to be fetched without the reader, which can say what is wrong
/// </code>
/// </summary>
internal sealed class SpoolQuestions(string directory)
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
        Write(PathOf(QuestionPrefix, question.Token), $"{file}\n{serverPath}\n");
        return question;
    }

    /// <summary>0, 1 or 255; null as long as there is no answer.</summary>
    public int? AnswerTo(SpoolQuestion question)
    {
        try
        {
            return int.Parse(File.ReadAllText(PathOf(AnswerPrefix, question.Token)), CultureInfo.InvariantCulture);
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

    /// <summary>For the reader: takes the questions that nobody has taken yet, <paramref name="most"/> of them.</summary>
    public List<SpoolQuestion> Take(int most)
    {
        var taken = new List<SpoolQuestion>();
        foreach (var path in Directory.EnumerateFiles(directory, QuestionPrefix + "*").Take(most).ToList())
        {
            if (path.EndsWith(Spool.UnfinishedSuffix, StringComparison.Ordinal))
            {
                continue;
            }

            try
            {
                if (File.ReadAllLines(path) is [var file, var serverPath])
                {
                    taken.Add(new SpoolQuestion(Path.GetFileName(path)[QuestionPrefix.Length..], file, serverPath));
                }

                File.Delete(path);
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
